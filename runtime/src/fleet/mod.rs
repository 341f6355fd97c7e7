//! Many devices: the registry that holds each once, and managers, which group them.

mod error;
mod manager;
mod members;
mod registry;

pub use error::AddError;
pub use manager::Manager;
pub use registry::{Registry, RegistryBuilder};
