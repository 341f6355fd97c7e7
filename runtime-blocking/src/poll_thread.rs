//! The thread that all devices run on.

use core::fmt;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustuya_runtime::driver::{DrivenDiscovery, DrivenLink, Runtime};

use crate::device_task::DeviceTask;
use crate::discovery_task::DiscoveryTask;
use crate::turns::{Post, Task, Turns};

/// A thread that waits for the sockets of any number of devices and discoveries. Clones are the same thread.
///
/// Everything that runs on it holds it, too: every [`Device`](crate::Device), [`Registry`](crate::Registry),
/// [`Manager`](crate::Manager) and [`Discovery`](crate::Discovery). When the last of all these is dropped, what is
/// encoded is given a second to leave, and the thread ends before the drop returns.
#[derive(Clone)]
pub struct PollThread(Arc<Handle>);

struct Handle {
    post: Arc<Post>,
    thread: Option<JoinHandle<()>>,
}

impl PollThread {
    /// Starts a thread that has nothing to do yet.
    ///
    /// # Errors
    /// When the operating system has no thread or no selector left.
    pub fn start() -> io::Result<Self> {
        let (turns, post) = Turns::new()?;
        let over = Over(Arc::clone(&post));
        let run = move || {
            // Dropped last, also when something panics: whoever comes later must not wait for this thread.
            let _over = over;
            turns.run();
        };
        let thread = thread::Builder::new().name("rustuya".into()).spawn(run)?;
        Ok(Self(Arc::new(Handle { post, thread: Some(thread) })))
    }

    fn run(&self, task: Task) {
        // Without a thread the task is dropped, and with it every wait for it ends.
        drop(self.0.post.add(task));
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
    /// Whether both are the same thread.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.post.stop();
        if let Some(thread) = self.thread.take()
            // A foreign waker, which runs on the thread, may hold the last handle.
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the poll thread had panicked");
        }
    }
}

/// Takes the mailbox out of use.
struct Over(Arc<Post>);

impl Drop for Over {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}
