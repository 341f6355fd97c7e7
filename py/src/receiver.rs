//! Receivers: iterators over events, devices and requests, for threads and for event loops.

use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rustuya_runtime_tokio::{self as rt, Listener, Scan, Sweep};

use crate::blocking::block;
use crate::bridge::{LoopBridge, start};
use crate::changes::ChangeFeed;
use crate::closing::HandleFeed;
use crate::docstring::docstring;
use crate::feed::SharedFeed;
use crate::held::Held;
use crate::{args, changes, event, lifecycle, models, operation};

/// Ties a receiver to the running event loop, if there is one: threads of the loop's executor that wait in it must
/// return before the loop joins them.
fn end_with_loop(receiver: &Bound<'_, PyAny>) -> PyResult<()> {
    static MODULES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = receiver.py();
    let modules = MODULES.get_or_try_init(py, || py.import("sys")?.getattr("modules").map(Bound::unbind))?;
    // Without this module there is no loop; importing it takes long.
    if modules.bind(py).contains("asyncio.events")? {
        let _inside = lifecycle::enter(py);
        py.import("rustuya._loops")?.call_method1("end_with_loop", (receiver,))?;
    }
    Ok(())
}

macro_rules! receiver {
    ($(#[$doc:meta])* $name:ident, $feed:ty, $convert:path) => {
        $(#[$doc])*
        #[pyclass(frozen, weakref, module = "rustuya")]
        pub(crate) struct $name(Held<Arc<SharedFeed<$feed>>>);

        impl $name {
            pub(crate) fn make(
                py: Python<'_>,
                feed: $feed,
                source: impl Send + 'static,
            ) -> PyResult<Bound<'_, Self>> {
                let made = Bound::new(py, Self(Held::new(SharedFeed::new(feed, source))))?;
                end_with_loop(made.as_any())?;
                Ok(made)
            }

            /// Returns `None` after `limit`, `Some(None)` at the end.
            fn take(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Option<Option<Py<PyAny>>>> {
                let shared = self.0.get(py)?;
                let item = match shared.poll() {
                    Poll::Ready(item) => Some(item),
                    Poll::Pending => block(py, shared.next(), limit)?,
                };
                item.map(|item| item.map(|item| $convert(py, item)).transpose()).transpose()
            }
        }

        #[pymethods]
        impl $name {
            /// Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
            /// end.
            #[doc = docstring!(args: timeout_ms)]
            #[doc = docstring!(returns: entry)]
            #[doc = docstring!(raises: ended types)]
            #[pyo3(signature = (timeout_ms=None))]
            fn recv(&self, py: Python<'_>, timeout_ms: Option<args::TimeoutMs>) -> PyResult<Option<Py<PyAny>>> {
                match self.take(py, args::milliseconds(timeout_ms.map(|limit| limit.0))?)? {
                    Some(None) => Err(self.0.get(py)?.ended_error(py)),
                    taken => Ok(taken.flatten()),
                }
            }

            /// Returns the next entry if there is one, else None.
            fn try_recv(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
                match self.0.get(py)?.poll() {
                    Poll::Ready(item) => item.map(|item| $convert(py, item)).transpose(),
                    Poll::Pending => Ok(None),
                }
            }

            /// Ends this receiver. Threads and tasks that wait for it return.
            fn close(&self, py: Python<'_>) -> PyResult<()> {
                self.0.get(py)?.close();
                Ok(())
            }

            /// True if the receiver has ended.
            #[getter]
            fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
                Ok(self.0.get(py)?.is_closed())
            }

            /// Number of entries lost because they were not taken in time.
            #[getter]
            fn missed(&self, py: Python<'_>) -> PyResult<u64> {
                Ok(self.0.get(py)?.missed())
            }

            /// Waits in an event loop until there is an entry or an end, or for `timeout` seconds.
            #[pyo3(signature = (bridge, timeout=None))]
            fn _ready<'py>(
                &self,
                bridge: &Bound<'py, LoopBridge>,
                timeout: Option<args::Timeout>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let shared = Arc::clone(self.0.get(bridge.py())?);
                let py = bridge.py();
                let ready = async move { shared.ready().await };
                start(bridge, operation::within(py, timeout.map(|limit| limit.0), ready)?)
            }

            /// Ends the present waits of threads: the event loop whose executor they belong to ends.
            fn _release(&self, py: Python<'_>) -> PyResult<()> {
                self.0.get(py)?.release();
                Ok(())
            }

            fn __iter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
                match self.take(py, None) {
                    Err(_) if lifecycle::is_leaving() => Ok(None),
                    result => result.map(Option::flatten),
                }
            }

            fn __enter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            #[pyo3(signature = (*_exc))]
            fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
                self.close(py)
            }
        }
    };
}

receiver! {
    /// Iterator over the events of one device since the receiver was made.
    DeviceMessageReceiver, HandleFeed, event::device_event
}
receiver! {
    /// Iterator over the changes of a device's entities since the receiver was made: `change.entity`, `change.state`.
    ChangeReceiver, ChangeFeed, changes::change
}
receiver! {
    /// Iterator over the events of all devices of a manager since the receiver was made.
    ManagerEventReceiver, Listener<rt::ManagerEvent>, event::manager_event
}
receiver! {
    /// Iterator over the devices that a scan finds.
    ScanReceiver, Scan, found
}
receiver! {
    /// Iterator over the results of the scan of a network.
    SweepReceiver, Sweep, swept
}
receiver! {
    /// Iterator over the requests that a virtual device receives.
    RequestReceiver, Listener<rustuya_virtual_device::Request>, event::request
}

fn found(py: Python<'_>, found: rt::DiscoveredDevice) -> PyResult<Py<PyAny>> {
    models::found(py, &found).map(Bound::unbind)
}

fn swept(py: Python<'_>, swept: rt::SweepEvent) -> PyResult<Py<PyAny>> {
    models::swept(py, &swept).map(Bound::unbind)
}
