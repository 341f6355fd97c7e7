//! Settings and requests for tests and models.

use std::sync::Arc;

use rustuya_proto::{DeviceConfig, DeviceId, LocalKey, Version};

use super::request::{Operation, Request};
use super::settings::Options;
use super::slot::Slot;

pub(super) fn config() -> DeviceConfig {
    let id = DeviceId::new("bf0123456789abcdefgh").expect("valid");
    let key = LocalKey::from_text("0123456789abcdef").expect("valid");
    DeviceConfig::new(id, key).version(Version::V33)
}

/// Returns the default options, without a query on each connection.
pub(super) fn options() -> Options {
    Options { query_on_connect: false, ..Options::default() }
}

/// Makes a request of one caller.
pub(super) fn request(operation: Operation, slot: &Arc<Slot>) -> Box<Request> {
    let mut request = Request::new(operation, None);
    request.add_caller(Arc::clone(slot));
    Box::new(request)
}
