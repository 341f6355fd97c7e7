//! The vendor's data centres.

use core::fmt;
use core::str::FromStr;

/// A data centre. An account lives in that of the country that was chosen when the app was registered.
///
/// ```
/// use rustuya_cloud::DataCentre;
/// assert_eq!("eu".parse(), Ok(DataCentre::CentralEurope));
/// assert_eq!("UE".parse(), Ok(DataCentre::EasternAmerica));
/// assert!("atlantis".parse::<DataCentre>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataCentre {
    /// China
    China,
    /// Western America: both Americas, Japan, Korea, South-East Asia, New Zealand, and every country of no other one
    WesternAmerica,
    /// Eastern America; rare
    EasternAmerica,
    /// Central Europe: Europe, Africa, the Middle East, Australia
    CentralEurope,
    /// Western Europe; rare
    WesternEurope,
    /// India
    India,
    /// Singapore: since 2025, parts of South-East Asia
    Singapore,
}

impl DataCentre {
    /// All, the likeliest first: the order in which they are tried when none is given.
    pub const ALL: [Self; 7] = [
        Self::CentralEurope,
        Self::WesternAmerica,
        Self::China,
        Self::India,
        Self::Singapore,
        Self::EasternAmerica,
        Self::WesternEurope,
    ];

    /// The code by which tinytuya knows it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::China => "cn",
            Self::WesternAmerica => "us",
            Self::EasternAmerica => "us-e",
            Self::CentralEurope => "eu",
            Self::WesternEurope => "eu-w",
            Self::India => "in",
            Self::Singapore => "sg",
        }
    }

    /// The name that the developer portal shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::China => "China",
            Self::WesternAmerica => "Western America",
            Self::EasternAmerica => "Eastern America",
            Self::CentralEurope => "Central Europe",
            Self::WesternEurope => "Western Europe",
            Self::India => "India",
            Self::Singapore => "Singapore",
        }
    }

    /// The host that answers for it.
    pub const fn host(self) -> &'static str {
        match self {
            Self::China => "openapi.tuyacn.com",
            Self::WesternAmerica => "openapi.tuyaus.com",
            Self::EasternAmerica => "openapi-ueaz.tuyaus.com",
            Self::CentralEurope => "openapi.tuyaeu.com",
            Self::WesternEurope => "openapi-weaz.tuyaeu.com",
            Self::India => "openapi.tuyain.com",
            Self::Singapore => "openapi-sg.iotbing.com",
        }
    }
}

impl fmt::Display for DataCentre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No data centre has this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such data centre: eu, us, cn, in, sg, us-e and eu-w are")]
pub struct UnknownDataCentre;

impl FromStr for DataCentre {
    type Err = UnknownDataCentre;

    fn from_str(text: &str) -> Result<Self, UnknownDataCentre> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "cn" | "ay" => Self::China,
            "us" | "az" => Self::WesternAmerica,
            "us-e" | "ue" | "ea" => Self::EasternAmerica,
            "eu" => Self::CentralEurope,
            "eu-w" | "we" => Self::WesternEurope,
            "in" => Self::India,
            "sg" => Self::Singapore,
            _ => return Err(UnknownDataCentre),
        })
    }
}

/// Destination of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The data centre, where it is known.
    pub centre: Option<DataCentre>,
    /// The address without a path: `https://HOST[:PORT]`.
    pub base: String,
}

impl Endpoint {
    /// The data centre at its own address.
    pub fn of(centre: DataCentre) -> Self {
        Self { centre: Some(centre), base: format!("https://{}", centre.host()) }
    }

    /// All data centres, in the order in which they are best tried.
    pub fn all() -> Vec<Self> {
        DataCentre::ALL.map(Self::of).to_vec()
    }

    /// Another address, such as that of a proxy, in the place of a data centre's.
    pub fn at(base: &str, centre: Option<DataCentre>) -> Self {
        Self { centre, base: base.trim_end_matches('/').to_owned() }
    }

    /// Returns the name for messages: that of the data centre, else the address.
    pub fn name(&self) -> &str {
        self.centre.map_or(self.base.as_str(), |centre| centre.name())
    }

    /// Returns the host of the devices' pictures: `images.` and the domain of the data centre.
    pub fn icons(&self) -> String {
        let host = match self.centre {
            Some(centre) => centre.host(),
            None => self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest),
        };
        let domain = host.split_once('.').map_or(host, |(_, domain)| domain);
        format!("https://images.{domain}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_tinytuya_with_their_aliases() {
        for centre in DataCentre::ALL {
            assert_eq!(centre.code().parse(), Ok(centre));
        }
        let aliases = ["ay", "AZ", "ue", "ea", "we"].map(|alias| alias.parse::<DataCentre>().map(DataCentre::code));
        assert_eq!(aliases, [Ok("cn"), Ok("us"), Ok("us-e"), Ok("us-e"), Ok("eu-w")]);
        assert_eq!("".parse::<DataCentre>(), Err(UnknownDataCentre), "and not China");
    }

    #[test]
    fn icons_are_in_the_domain_of_the_data_centre() {
        assert_eq!(Endpoint::of(DataCentre::WesternEurope).icons(), "https://images.tuyaeu.com/");
        let endpoint = Endpoint::at("https://127.0.0.1:5/", Some(DataCentre::CentralEurope));
        assert_eq!(
            (endpoint.base.as_str(), endpoint.icons().as_str()),
            ("https://127.0.0.1:5", "https://images.tuyaeu.com/")
        );
        assert_eq!(Endpoint::at("https://proxy.example.org", None).icons(), "https://images.example.org/");
    }
}
