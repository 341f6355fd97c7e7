//! Programs of the guides, as doc tests.

macro_rules! guides {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[doc = include_str!($path)]
        mod $name {}
    )*};
}

guides! {
    index: "../../docs/README.md",
    one_device: "../../docs/one-device.md",
    fleet: "../../docs/fleet.md",
    gateways: "../../docs/gateways.md",
    discovery: "../../docs/discovery.md",
    errors: "../../docs/errors.md",
    recording: "../../docs/recording.md",
}
