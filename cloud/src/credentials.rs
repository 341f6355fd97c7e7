//! The file in which tinytuya keeps the project.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::centre::DataCentre;
use crate::json::{self, Wiped};
use crate::secret::Secret;

/// Content of tinytuya's `tinytuya.json` about the project. Left out and empty fields are `None`.
///
/// ```
/// use rustuya_cloud::{Credentials, DataCentre};
/// let text = br#"{ "apiKey": "p8k3n", "apiSecret": "0123", "apiRegion": "eu", "apiDeviceID": "bf0, bf1" }"#;
/// let read = Credentials::parse(text)?;
/// assert_eq!((read.access_id.as_deref(), read.centre), (Some("p8k3n"), Some(DataCentre::CentralEurope)));
/// assert_eq!(read.device_ids, ["bf0", "bf1"]);
/// assert!(!format!("{read:?}").contains("0123"));
/// # Ok::<(), rustuya_cloud::CredentialsError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// The project's Access ID.
    pub access_id: Option<String>,
    /// The project's Access Secret.
    pub access_secret: Option<Secret>,
    /// The data centre; `None` also for a code that is none.
    pub centre: Option<DataCentre>,
    /// Devices that the user knows.
    pub device_ids: Vec<String>,
}

/// The file cannot be used. Nothing of its text is in this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// It is no JSON object.
    #[error("the file is no JSON object, as tinytuya writes it, with apiKey and apiSecret")]
    NotJson,
}

impl Credentials {
    /// Reads the file.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CredentialsError> {
        Self::parse(&Zeroizing::new(std::fs::read(path)?))
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`CredentialsError::NotJson`]
    pub fn parse(text: &[u8]) -> Result<Self, CredentialsError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let file = serde_json::from_slice::<Value>(text).map(Wiped).map_err(|_| CredentialsError::NotJson)?;
        if !file.is_object() {
            return Err(CredentialsError::NotJson);
        }
        let said =
            |name| json::filled(&file, &[name]).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let ids = said("apiDeviceID").unwrap_or_default();
        let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty() && !id.eq_ignore_ascii_case("scan"));
        Ok(Self {
            access_id: said("apiKey"),
            access_secret: said("apiSecret").map(Secret::from),
            centre: said("apiRegion").and_then(|code| code.parse().ok()),
            device_ids: ids.map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_open() {
        let read = Credentials::parse(br#"{"apiKey":" ","apiSecret":"","apiRegion":"zz","apiDeviceID":"scan"}"#);
        let read = read.expect("an object");
        assert!(read.access_id.is_none() && read.access_secret.is_none() && read.centre.is_none());
        assert!(read.device_ids.is_empty());
        assert!(Credentials::parse(b"[]").is_err() && Credentials::parse(b"{").is_err());
    }
}
