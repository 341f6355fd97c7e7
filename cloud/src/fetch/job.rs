//! The calls.

use crate::http::segment;
use crate::secret::Secret;

/// The cloud gives no more devices on a page of [`Job::Things`].
pub(super) const THINGS: usize = 20;

/// One call. Nothing of it is shown: user ids are in some.
#[derive(Clone)]
pub(super) enum Job {
    /// All devices of all linked accounts, from this row on; often without keys.
    Linked { last: Option<String> },
    /// Whose a device is.
    Owner { device: String },
    /// The devices of a user, from this row on, with keys and gateways.
    Full { uid: Secret, last: Option<String> },
    /// The same by an older call, in one piece.
    OfUser { uid: Secret },
    /// The devices of the project, from behind this device on, by a call of another service.
    Things { last: Option<String> },
    /// Devices behind a gateway.
    Children { gateway: String, service: Service },
    /// Hardware addresses.
    Factory { ids: Vec<String> },
    /// Meaning of a product's DPs, by any device of it.
    Spec { product: String, device: String },
    /// The same, told about.
    SpecBegun { product: String, device: String },
    /// Further facts from the model of a product.
    Model { product: String, device: String },
}

/// Services that have the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Devices,
    IotCore,
}

impl core::fmt::Debug for Job {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.what())
    }
}

impl Job {
    /// Returns the name of the requested data, for messages.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Linked { .. } => "list of devices",
            Self::Owner { .. } => "owner of a device",
            Self::Full { .. } | Self::OfUser { .. } => "list of keys",
            Self::Things { .. } => "list of things",
            Self::Children { .. } => "list of sub-devices",
            Self::Factory { .. } => "list of hardware addresses",
            Self::Spec { .. } | Self::SpecBegun { .. } => "specification of a product",
            Self::Model { .. } => "model of a product",
        }
    }

    /// It was told about.
    pub(super) fn begun(self) -> Self {
        match self {
            Self::Spec { product, device } => Self::SpecBegun { product, device },
            other => other,
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Linked { .. } => "/v1.0/iot-01/associated-users/devices".to_owned(),
            Self::Owner { device } => format!("/v1.0/devices/{}", segment(device)),
            Self::Full { .. } => "/v1.3/iot-03/devices".to_owned(),
            Self::OfUser { uid } => format!("/v1.0/users/{}/devices", segment(uid.expose())),
            Self::Things { .. } => "/v2.0/cloud/thing/device".to_owned(),
            Self::Children { gateway, service: Service::Devices } => {
                format!("/v1.0/devices/{}/sub-devices", segment(gateway))
            }
            Self::Children { gateway, service: Service::IotCore } => {
                format!("/v1.0/iot-03/devices/{}/sub-devices", segment(gateway))
            }
            Self::Factory { .. } => "/v1.0/devices/factory-infos".to_owned(),
            Self::Spec { device, .. } | Self::SpecBegun { device, .. } => {
                format!("/v1.1/devices/{}/specifications", segment(device))
            }
            Self::Model { device, .. } => format!("/v2.0/cloud/thing/{}/model", segment(device)),
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let row = |last: &Option<String>| last.clone().map(|last| ("last_row_key", last));
        match self {
            Self::Linked { last } => row(last).into_iter().chain([("size", "50".to_owned())]).collect(),
            Self::Full { uid, last } => {
                let of = [
                    ("page_size", "75".to_owned()),
                    ("source_id", uid.expose().to_owned()),
                    ("source_type", "tuyaUser".to_owned()),
                ];
                row(last).into_iter().chain(of).collect()
            }
            Self::Things { last } => {
                let last = last.clone().map(|last| ("last_id", last));
                last.into_iter().chain([("page_size", THINGS.to_string())]).collect()
            }
            Self::Factory { ids } => vec![("device_ids", ids.join(","))],
            _ => Vec::new(),
        }
    }
}
