//! Extension module of the Python package `rustuya`: one engine for the synchronous and the asyncio classes.
//!
//! Modules import only from those above them in this list.

mod docstring;
mod lifecycle;

mod exceptions;
mod reasons;

mod args;
mod convert;
mod models;

mod errors;

mod cloud_errors;

mod blocking;
mod calls;
mod held;
mod log;

mod engine;

mod event;
mod feed;
mod fetched;
mod target;
mod wakeup;

mod closing;
mod intents;
mod operation;

mod bridge;
mod config;
mod verbs;

mod profiles;

mod described;
mod devices_file;
mod host;
mod states;

mod entity;

mod changes;

mod receiver;

mod entities;

mod handle;
mod subscription;

mod cloud;
mod codec;
mod command;
mod manager;
mod scanner;
mod sub_device;
mod vocabulary;

mod device;
mod testing;

mod aio;
mod exit;

/// See the package `rustuya`, which re-exports the public names. The checks do not run without the GIL, so a
/// free-threaded interpreter switches it on when it imports this module.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::aio::AsyncVerbs;
    #[pymodule_export]
    use crate::bridge::LoopBridge;
    #[pymodule_export]
    use crate::cloud::{CloudRun, stored_project};
    #[pymodule_export]
    use crate::codec::{announcement, decode, encode, session_key};
    #[pymodule_export]
    use crate::command::run_command_line;
    #[pymodule_export]
    use crate::devices_file::listed_devices;
    #[pymodule_export]
    use crate::engine::configure;
    #[pymodule_export]
    use crate::entities::WithEntities;
    #[pymodule_export]
    use crate::entity::EntityHandle;
    #[pymodule_export]
    use crate::event::{DeviceEvent, ManagerEvent};
    #[pymodule_export]
    use crate::exit::{forked, leave, left};
    #[pymodule_export]
    use crate::fetched::Fetched;
    #[pymodule_export]
    use crate::handle::Device;
    #[pymodule_export]
    use crate::log::{next_record, set_frame_log, set_log_callback, set_log_level};
    #[pymodule_export]
    use crate::manager::Manager;
    #[pymodule_export]
    use crate::receiver::{
        ChangeReceiver, DeviceMessageReceiver, ManagerEventReceiver, RequestReceiver, ScanReceiver, SweepReceiver,
    };
    #[pymodule_export]
    use crate::scanner::Scanner;
    #[pymodule_export]
    use crate::sub_device::SubDevice;
    #[pymodule_export]
    use crate::subscription::{Subscription, check_callback, next_callback, report_from_python};
    #[pymodule_export]
    use crate::testing::{VirtualDevice, profile_names, quirk_names};
    #[pymodule_export]
    use crate::vocabulary::{command_names, vocabulary};

    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::lifecycle::on_leave(crate::exit::leave);
        Ok(())
    }

    #[pymodule_export]
    const __VERSION__: &str = env!("CARGO_PKG_VERSION");
}
