//! The native half of the Python package `rustuya`: one engine behind the synchronous and the asyncio face.

mod aio;
mod args;
mod bell;
mod calls;
mod codec;
mod command;
mod config;
mod convert;
mod device;
mod engine;
mod errors;
mod event;
mod exit;
mod handle;
mod listed;
mod log;
mod manager;
mod models;
mod operation;
mod receiver;
mod scanner;
mod sub_device;
mod subscription;
mod testing;
mod verbs;
mod words;

/// See the package `rustuya`, which re-exports what is public here. Nothing tests it without the GIL at every change, so
/// a free-threaded interpreter switches the GIL on when it imports this.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::aio::{AsyncVerbs, LoopBridge};
    #[pymodule_export]
    use crate::codec::{announcement, decode, encode, session_key};
    #[pymodule_export]
    use crate::command::run_command_line;
    #[pymodule_export]
    use crate::device::Device;
    #[pymodule_export]
    use crate::engine::configure;
    #[pymodule_export]
    use crate::event::{DeviceEvent, ManagerEvent};
    #[pymodule_export]
    use crate::exit::{forked, leave, left};
    #[pymodule_export]
    use crate::listed::listed_devices;
    #[pymodule_export]
    use crate::log::{next_record, set_frame_log, set_log_callback, set_log_level};
    #[pymodule_export]
    use crate::manager::Manager;
    #[pymodule_export]
    use crate::models::{command_names, vocabulary};
    #[pymodule_export]
    use crate::receiver::{DeviceMessageReceiver, ManagerEventReceiver, RequestReceiver, ScanReceiver, SweepReceiver};
    #[pymodule_export]
    use crate::scanner::Scanner;
    #[pymodule_export]
    use crate::sub_device::SubDevice;
    #[pymodule_export]
    use crate::subscription::{Subscription, next_callback, report_from_python};
    #[pymodule_export]
    use crate::testing::{VirtualDevice, quirk_names};

    #[pymodule_export]
    const __VERSION__: &str = env!("CARGO_PKG_VERSION");
}
