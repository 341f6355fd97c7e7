//! Subject for every runtime whose devices are driven by futures: they share the handles.

use core::net::IpAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use rustuya_proto::DownReason;
use rustuya_runtime::driver::Runtime;
use rustuya_runtime::{
    AddError, Address, CommandError, Device, DeviceBuilder, Discovery, Entry, Listener, Manager, ManagerEvent,
    Registry, Sending,
};
use serde_json::{Map, Value};

use crate::network::{Network, RealTime};
use crate::scenario::{Added, Call, How, Need, Source};
use crate::scene::{found, scene};
use crate::simulated::Simulated;
use crate::subject::{Answer, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};

/// Async runtime with its name.
#[derive(Debug)]
pub struct Asynchronous<R> {
    name: &'static str,
    runtime: R,
}

impl<R: Runtime + Clone> Asynchronous<R> {
    /// Creates the subject; `runtime` spawns into a runtime with threads of its own.
    pub const fn new(name: &'static str, runtime: R) -> Self {
        Self { name, runtime }
    }
}

impl<R: Runtime + Clone> Subject for Asynchronous<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn lacks(&self, _need: Need) -> Option<&'static str> {
        None
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        Box::new(Scene::new(self.runtime.clone(), RealTime::start()))
    }
}

/// Subject whose devices are driven by futures in [`Simulated`] time.
#[derive(Debug)]
pub struct InMemory {
    seed: u64,
}

impl InMemory {
    /// Creates the subject; every stage has this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Subject for InMemory {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn lacks(&self, _need: Need) -> Option<&'static str> {
        None
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        self.stage_of(self.seed)
    }

    fn stage_of(&self, seed: u64) -> Box<dyn Stage + '_> {
        let world = Simulated::new(seed);
        Box::new(Scene::new(world.clone(), world))
    }
}

type Command = Pin<Box<dyn Future<Output = Answer>>>;

macro_rules! command {
    ($answer:expr) => {
        Box::pin(async move { $answer })
    };
}

scene!(impl [R: Runtime + Clone, N: Network] Scene<R, N>, await: [.await]);

/// Started command.
enum Given {
    Waiting(Command),
    Done(Box<Answer>),
}

impl Given {
    fn start(command: Command, _: How) -> Self {
        let mut given = Self::Waiting(command);
        given.is_done();
        given
    }

    fn end(self, network: &impl Network, limit: Duration) -> Option<Answer> {
        match self {
            Self::Waiting(command) => network.block_on(command, limit),
            Self::Done(answer) => Some(*answer),
        }
    }

    fn is_done(&mut self) -> bool {
        if let Self::Waiting(command) = self
            && let Poll::Ready(answer) = command.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            *self = Self::Done(Box::new(answer));
        }
        matches!(self, Self::Done(_))
    }
}

async fn send(sending: Sending) -> Result<(), CommandError> {
    sending.await
}

fn scan(discovery: Discovery, limit: Duration) -> Command {
    command!(found(discovery.scan(limit).await))
}

fn next<T: Entry>(network: &impl Network, listener: &mut Listener<T>, limit: Duration) -> Option<Option<T>> {
    network.block_on(Box::pin(listener.recv()), limit)
}
