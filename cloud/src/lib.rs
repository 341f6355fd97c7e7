#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod app;
mod app_call;
#[cfg(feature = "client")]
mod cancel;
mod centre;
#[cfg(feature = "client")]
mod client;
mod credentials;
mod device;
mod devices_json;
mod envelope;
mod error;
mod fetch;
mod http;
mod json;
mod mapping;
mod python_json;
#[cfg(feature = "drawing")]
mod qr_drawing;
mod qr_text;
mod retry;
mod seal;
mod secret;
mod sign;

pub use app::{AppFetch, AppLogin};
pub use app_call::{AppCall, AppSession};
#[cfg(feature = "client")]
pub use cancel::CancelToken;
pub use centre::{DataCentre, Endpoint, UnknownDataCentre};
#[cfg(feature = "client")]
pub use client::{Client, ClientBuilder, ClientError};
pub use credentials::{Credentials, CredentialsError};
pub use device::{CloudDevice, link_children};
pub use devices_json::{Change, DevicesJson, DevicesJsonError, Heard, Merged};
pub use envelope::open;
pub use error::{ApiError, Cause, FetchError, SendFailure, Tried};
pub use fetch::{Fetch, Fetched, Note, Progress, Step};
pub use http::{Answer, Method, Request};
pub use mapping::{Access, DpSpec, Mapping};
pub use qr_text::QrText;
pub use seal::{InvalidSeal, Sealing};
pub use secret::Secret;
pub use sign::{Project, StringToSign};

/// The guide, so that its program is compiled.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../docs/keys.md")]
mod guide {}
