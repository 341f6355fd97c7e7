//! Subject for the driver with blocking calls: each started command has a thread that waits.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use rustuya_runtime_blocking::{
    AddError, Address, CommandError, Device, DeviceBuilder, Discovery, DownReason, Entry, Listener, Manager,
    ManagerEvent, PollThread, Registry, Sending,
};
use serde_json::{Map, Value};

use crate::network::RealTime;
use crate::scenario::{Added, Call, How, Need, Source};
use crate::scene::{found, scene};
use crate::subject::{Answer, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};

/// Poll thread of all scenarios.
#[derive(Debug)]
pub struct Blocking(PollThread);

impl Blocking {
    /// Starts the thread.
    ///
    /// # Panics
    /// If the system has no thread.
    #[must_use]
    pub fn new() -> Self {
        Self(PollThread::start().expect("a thread"))
    }
}

impl Default for Blocking {
    fn default() -> Self {
        Self::new()
    }
}

impl Subject for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        (need == Need::Abandon).then_some("a call that waits returns with the answer or at its time limit, not before")
    }

    fn gives_at_once(&self) -> bool {
        false
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        Box::new(Scene::new(self.0.clone(), RealTime::start()))
    }
}

type Command = Box<dyn FnOnce() -> Answer + Send>;

macro_rules! command {
    ($answer:expr) => {
        Box::new(move || $answer)
    };
}

scene!(impl [] Scene<PollThread, RealTime>, await: []);

/// Started command: its thread sends the answer.
struct Given {
    receiver: Receiver<Answer>,
    answer: Option<Answer>,
}

impl Given {
    fn start(command: Command, how: How) -> Self {
        let (sender, receiver) = channel();
        // Fails where a scenario has failed and the receiver is dropped.
        let run = move || drop(sender.send(command()));
        if how == How::Queued {
            run();
        } else {
            thread::spawn(run);
        }
        Self { receiver, answer: None }
    }

    fn end(self, _: &RealTime, limit: Duration) -> Option<Answer> {
        self.answer.or_else(|| self.receiver.recv_timeout(limit).ok())
    }

    fn is_done(&mut self) -> bool {
        self.answer = self.answer.take().or_else(|| self.receiver.try_recv().ok());
        self.answer.is_some()
    }
}

fn send(sending: Sending) -> Result<(), CommandError> {
    sending.send()
}

/// Starts the scan now; only its end is awaited in another thread.
fn scan(discovery: Discovery, limit: Duration) -> Command {
    let mut scan = discovery.stream(limit);
    command!({
        let mut all = Vec::new();
        while let Some(news) = scan.recv() {
            if !all.iter().any(|known: &rustuya_runtime_blocking::DiscoveredDevice| known.id == news.id) {
                all.push(news);
            }
        }
        found(all)
    })
}

fn next<T: Entry>(_: &RealTime, listener: &mut Listener<T>, limit: Duration) -> Option<Option<T>> {
    match listener.recv_timeout(limit) {
        Ok(entry) => Some(Some(entry)),
        Err(RecvTimeoutError::Disconnected) => Some(None),
        Err(RecvTimeoutError::Timeout) => None,
    }
}
