//! Connections to the target devices.

use anyhow::{Context, bail};
use rustuya_proto::DeviceError;
use rustuya_runtime_tokio::{
    AddError, Address, CommandError, Device, DeviceBuilder, Discovery, DownReason, Event, Manager, Registry, Timing,
    Tokio, Version,
};
use tokio::time::Instant;

use crate::target::{Target, TargetArgs};

/// Creates a manager for all targets. Listens for announcements if the address of any target is not known.
pub(crate) fn manager(args: &TargetArgs, targets: &[Target]) -> anyhow::Result<Manager> {
    let registry = Registry::builder(Tokio);
    let registry = if targets.iter().all(|target| target.address != Address::Auto) {
        registry.without_discovery()
    } else {
        let started =
            Discovery::builder().ports(args.discovery_ports.0).trust_relayed(args.trust_relayed).start(&Tokio);
        registry.discovery(&started.map_err(AddError::Discovery)?)
    };
    Ok(Manager::new(&registry.build()))
}

/// Starts to connect. Sub-devices share the connection of their gateway.
pub(crate) fn connect(manager: &Manager, target: &Target) -> anyhow::Result<Device> {
    connect_with(manager, target, |builder| builder)
}

/// Like [`connect`], but passes the builder of a new connection through `more`.
pub(crate) fn connect_with(
    manager: &Manager,
    target: &Target,
    more: impl FnOnce(DeviceBuilder) -> DeviceBuilder,
) -> anyhow::Result<Device> {
    if let Some(device) = manager.get(target.id.as_str()) {
        return Ok(device);
    }
    manager.add_with(more(target.builder())).with_context(|| target.error_name().to_owned())
}

impl Target {
    fn builder(&self) -> DeviceBuilder {
        // Short enough to distinguish a wrong version from a wrong key in time.
        let mut timing = Timing::DEFAULT;
        timing.answer = timing.answer.min(self.timeout.mul_f64(0.3));
        timing.negotiate = timing.answer;
        let builder = Device::builder_with(self.id.clone(), self.key.clone()).port(self.port);
        let builder = builder.version(self.version).dialect(self.dialect);
        let builder = match self.min_version {
            Some(least) => builder.min_version(least),
            None => builder,
        };
        let builder = builder.timing(timing).command_timeout(self.timeout);
        let builder = builder.pacing(self.pacing).receive_limit(self.receive_limit).query_on_connect(false);
        builder.address(self.address.clone())
    }

    /// Runs one command on the device, which is still connecting. Fails as soon as it is clear that key or version must
    /// be corrected.
    pub(crate) async fn run<T>(
        &self,
        device: &Device,
        command: impl Future<Output = Result<T, CommandError>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.timeout;
        let is_hopeless = |reason: DownReason| self.is_hopeless(reason);
        let mut result = tokio::select! {
            result = command => result,
            reason = wait_for_reason(device, is_hopeless) => Err(CommandError::NotConnected { reason: Some(reason) }),
        };
        // Up to 3.3, nothing is negotiated before the first command: its failure may be the first sign of a wrong
        // version or key, or of a busy or silent device. The diagnosis follows right after it.
        if matches!(
            result,
            Err(CommandError::NoAnswer | CommandError::Unanswered | CommandError::ConnectionLost { .. })
        ) && !device.version().is_some_and(Version::negotiates)
        {
            let cause = wait_for_reason(device, |reason| self.is_hopeless(reason) || is_cause(reason));
            match tokio::time::timeout_at(deadline, cause).await {
                Ok(reason) if self.is_hopeless(reason) => {
                    result = Err(CommandError::NotConnected { reason: Some(reason) });
                }
                Ok(reason) => result = Err(CommandError::ConnectionLost { reason }),
                Err(_) => {}
            }
        }
        if self.address == Address::Auto && matches!(result, Err(CommandError::NotConnected { reason: None })) {
            bail!(
                "no announcement received; check that the device has power and is in this network, or give --address"
            );
        }
        if let Err(error @ CommandError::NotConnected { reason: Some(DownReason::Relayed) }) = &result {
            bail!("{error} (--trust-relayed, or --address)");
        }
        if let Err(error @ CommandError::NotConnected { reason: Some(DownReason::TooOld { version }) }) = &result {
            bail!("{error} (--version {version}, or --min-version)");
        }
        if let Err(CommandError::Rejected { text, .. }) = &result
            && text == DeviceError::DataFormat.text()
            && self.version.is_some_and(|version| version != Version::V31)
        {
            bail!("{text}: devices of 3.1 send this to requests of other versions; check the version");
        }
        Ok(result?)
    }

    /// Returns whether more attempts are useless.
    fn is_hopeless(&self, reason: DownReason) -> bool {
        match reason {
            DownReason::WrongKey { .. } | DownReason::TooOld { .. } | DownReason::Unresolved => true,
            // Without a configured version, the next attempt uses the right one.
            DownReason::WrongVersion { .. } => self.version.is_some(),
            _ => false,
        }
    }
}

/// Returns whether the reason is a cause, and not only the end of the connection.
const fn is_cause(reason: DownReason) -> bool {
    matches!(
        reason,
        DownReason::Busy
            | DownReason::Silent
            | DownReason::Refused
            | DownReason::Unreachable
            | DownReason::OutOfDescriptors
    )
}

/// Waits until the device is down for such a reason.
async fn wait_for_reason(device: &Device, is_wanted: impl Fn(DownReason) -> bool) -> DownReason {
    let mut listener = device.listener();
    // While connected, the diagnosis is that of an earlier attempt.
    if let Some(reason) = device.diagnosis().filter(|reason| !device.is_connected() && is_wanted(*reason)) {
        return reason;
    }
    while let Some(event) = listener.recv().await {
        if let Event::Down { reason, .. } = event
            && is_wanted(reason)
        {
            return reason;
        }
    }
    core::future::pending().await
}
