//! Thread of all devices.

use core::fmt;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustuya_runtime::driver::{DrivenDiscovery, DrivenLink, Runtime};

use crate::device_task::DeviceTask;
use crate::discovery_task::DiscoveryTask;
use crate::scheduler::{Queue, Scheduler, Task};

/// Thread that waits for the sockets of any number of devices and discoveries. Clones are the same thread.
///
/// Everything that runs on it keeps it alive: every [`Device`](crate::Device), [`Registry`](crate::Registry),
/// [`Manager`](crate::Manager) and [`Discovery`](crate::Discovery). When the last of all these is dropped, encoded
/// commands have a second to leave, and the thread ends before the drop returns.
#[derive(Clone)]
pub struct PollThread(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl PollThread {
    /// Starts a thread without tasks.
    ///
    /// # Errors
    /// Fails when the operating system has no thread or no selector left.
    pub fn start() -> io::Result<Self> {
        let (scheduler, queue) = Scheduler::new()?;
        let close = CloseOnDrop(Arc::clone(&queue));
        let run = move || {
            // Dropped last, also after a panic: later callers must not wait for this thread.
            let _close = close;
            scheduler.run();
        };
        let thread = thread::Builder::new().name("rustuya".into()).spawn(run)?;
        Ok(Self(Arc::new(Handle { queue, thread: Some(thread) })))
    }

    fn run(&self, task: Task) {
        // If the thread has ended, dropping the task ends every wait for it.
        drop(self.0.queue.add(task));
    }
}

impl Runtime for PollThread {
    fn drive(&self, link: DrivenLink) {
        self.run(Task::Device(DeviceTask::new(link)));
    }

    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<UdpSocket>) -> io::Result<()> {
        self.run(Task::Discovery(DiscoveryTask::new(discovery, sockets)));
        Ok(())
    }
}

impl fmt::Debug for PollThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollThread").finish_non_exhaustive()
    }
}

impl PartialEq for PollThread {
    /// Returns whether both are the same thread.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.stop();
        if let Some(thread) = self.thread.take()
            // The last handle may be in a caller's waker, which runs on this thread.
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the poll thread had panicked");
        }
    }
}

/// Guard that closes the mailbox.
struct CloseOnDrop(Arc<Queue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}
