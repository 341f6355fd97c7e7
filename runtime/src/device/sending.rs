//! Commands as futures.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{Cid, CommandCode};

use crate::link::{Caller, Effect, Link, Operation, Request, Slot};
use crate::report::error::CommandError;
use crate::report::reply::Reply;

/// A command that is submitted on the first poll, and complete once it is written to the device's connection.
///
/// Without a connection it waits for one, up to the command time-out. A later failure is reported to listeners as
/// [`Event::Failed`](crate::Event::Failed). For a device configured with [`nowait`](crate::DeviceBuilder::nowait) it is
/// complete as soon as it is queued.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// device.set_value(1, true).await?; // written
/// device.set_value(1, false).acknowledged().await?; // answered
/// device.set_value(1, true).queue()?; // on its way
/// device.set_value(1, true).timeout(Duration::from_secs(2)).await?; // written, or failed within two seconds
/// # Ok(())
/// # }
/// ```
///
/// After the first poll it can still be [queued](Self::queue), or wait for its [answer](Self::acknowledged): it stays
/// the same command and is not submitted twice. Polled again after completion, it returns the same result.
///
/// # Cancel safety
/// Dropping the future cancels the command if it was not sent yet. A command that was sent takes effect; its failure is
/// reported to listeners.
#[derive(Debug)]
#[must_use = "a command is submitted when its future is polled, or with `queue`"]
pub struct Sending {
    stage: Stage,
    /// Result that the caller has received already.
    outcome: Option<Result<(), CommandError>>,
}

/// A command that is submitted on the first poll, and complete once the device has answered it.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// let (on, brightness) = (device.set_value(1, true), device.set_value(2, 75));
/// // Both are sent at once; each gets its own answer.
/// let (on, brightness) = tokio::join!(on.acknowledged(), brightness.acknowledged());
/// on?;
/// brightness?;
/// assert_eq!(lamp.dps(None)["2"], json!(75));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Dropping the future cancels the command if it was not sent yet. A command that was sent takes effect; its failure is
/// reported to listeners, as [`Event::Failed`](crate::Event::Failed).
///
/// # Panics
/// Panics when it is polled again after completion, as an `async` block does.
#[derive(Debug)]
#[must_use = "a command is submitted when its future is polled"]
pub struct Acknowledged {
    stage: Stage,
    done: bool,
}

/// A write that is submitted on the first poll, and complete once the device reports the written values. Returns the
/// DPs as the device reports them.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// let reply = device.set_value(2, 75).confirmed().await?;
/// assert_eq!(reply.dps["2"], json!(75));
/// match device.set_value(2, 2000).confirmed().await {
///     Ok(_) => println!("done"),
///     Err(CommandError::NoEffect { shown, .. }) => println!("the device has {:?}", shown.get("2")),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`CommandError::NoEffect`] contains the values that the device reports instead; other errors as of [`Acknowledged`].
///
/// # Cancel safety
/// As [`Acknowledged`].
///
/// # Panics
/// Panics when it is polled again after completion, as an `async` block does.
#[derive(Debug)]
#[must_use = "a command is submitted when its future is polled"]
pub struct Confirmed {
    stage: Stage,
    done: bool,
}

#[derive(Debug)]
enum Stage {
    /// Not submitted yet.
    New(Arc<Link>, Box<Request>),
    /// Cannot be submitted.
    Refused(CommandError),
    /// Submitted, and perhaps complete.
    Submitted(Submitted),
    /// Placeholder while the stage changes.
    Empty,
}

/// Handle of a submitted command. Holds what a report to listeners needs if the caller leaves before it fails.
#[derive(Debug)]
struct Submitted {
    link: Arc<Link>,
    slot: Arc<Slot>,
    /// `None` if nothing is sent.
    command: Option<CommandCode>,
    cid: Option<Cid>,
    /// JSON text of the DPs to be written.
    writes: Option<Arc<str>>,
}

impl Sending {
    pub(crate) fn new(link: &Arc<Link>, operation: Result<Operation, CommandError>, cid: Option<Cid>) -> Self {
        let stage = match operation {
            Ok(operation) => Stage::New(Arc::clone(link), Box::new(Request::new(operation, cid))),
            Err(error) => Stage::Refused(error),
        };
        Self { stage, outcome: None }
    }

    /// Waits for the device's answer, too. If the command was submitted already, waits for the answer to it.
    pub fn acknowledged(mut self) -> Acknowledged {
        if let Stage::Submitted(submitted) = &self.stage {
            submitted.slot.want_answer();
        }
        let stage = match self.outcome.take() {
            // The caller has received it; nothing more will come.
            Some(Err(error)) => Stage::Refused(error),
            _ => core::mem::replace(&mut self.stage, Stage::Empty),
        };
        Acknowledged { stage, done: false }
    }

    /// Waits for the effect, too: an acknowledgement proves that the device has received a write, not that it did
    /// something. Completes when the device reports the written values: by a push or, if none comes within a second, in
    /// the answer to a query. Works also for devices that do not acknowledge. For a command that writes no DPs, waits
    /// for the answer. Without a [`timeout`](Self::timeout), the time limits add up: of the connection, of the
    /// acknowledgement ([`Timing::answer`](crate::Timing::answer)) and of the query.
    pub fn confirmed(mut self) -> Confirmed {
        if let Stage::Submitted(submitted) = &self.stage {
            submitted.confirm();
        }
        let stage = match self.outcome.take() {
            Some(Err(error)) => Stage::Refused(error),
            _ => core::mem::replace(&mut self.stage, Stage::Empty),
        };
        Confirmed { stage, done: false }
    }

    /// Limits the command as a whole: the waits for the connection, for the answer and, if
    /// [confirmed](Self::confirmed), for the effect, together. Has no effect after the first poll: the command was
    /// submitted with its former limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Stage::New(_, request) = &mut self.stage {
            request.limit = Some(timeout);
        }
        self
    }

    /// Submits the command now, from any thread, without waiting for anything. A failure is reported to listeners. A
    /// command that was submitted already goes on, and is not submitted twice.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let device = lamp.controller().spawn(&Tokio);
    /// assert_eq!(device.set_value("switch", true).queue(), Err(CommandError::InvalidDp("switch".into())));
    /// assert_eq!(device.set_value("1", true).queue(), Ok(()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Errors that are known at once: [`CommandError::InvalidDp`], [`CommandError::InvalidValue`],
    /// [`CommandError::Closed`], and [`CommandError::Busy`] when 256 commands wait already. For a command that was
    /// submitted already, its failure if it has failed.
    pub fn queue(mut self) -> Result<(), CommandError> {
        if let Some(outcome) = self.outcome.take() {
            return outcome;
        }
        match core::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::New(link, request) => Submitted::submit_nowait(link, request).1,
            Stage::Refused(error) => Err(error),
            Stage::Submitted(submitted) => submitted.slot.detach(),
            Stage::Empty => Ok(()),
        }
    }
}

impl Submitted {
    /// Adds the caller to a request, and keeps what a later report needs.
    fn new(link: Arc<Link>, request: &mut Request, caller: Caller) -> Self {
        let (command, cid, writes) = (request.operation.command(), request.cid.clone(), request.operation.writes());
        let slot = Slot::new(caller);
        request.add_caller(Arc::clone(&slot));
        Self { link, slot, command, cid, writes }
    }

    fn submit(link: Arc<Link>, mut request: Box<Request>, caller: Caller) -> Self {
        let submitted = Self::new(link, &mut request, caller);
        submitted.link.submit(request);
        submitted
    }

    fn submit_confirmed(link: Arc<Link>, mut request: Box<Request>) -> Self {
        let submitted = Self::new(link, &mut request, Caller::Answer);
        if let Some(effect) = submitted.writes.as_deref().and_then(Effect::new) {
            submitted.slot.expect(effect);
        }
        submitted.link.submit(request);
        submitted
    }

    fn submit_nowait(link: Arc<Link>, mut request: Box<Request>) -> (Self, Result<(), CommandError>) {
        let submitted = Self::new(link, &mut request, Caller::Nothing);
        let result = submitted.link.submit_nowait(request);
        (submitted, result)
    }

    /// Watches for the effect from now on.
    fn confirm(&self) {
        match self.writes.as_deref().and_then(Effect::new) {
            Some(effect) => self.link.expect(&self.slot, self.cid.as_ref(), effect),
            None => self.slot.want_answer(),
        }
    }
}

impl Stage {
    fn poll(&mut self, cx: &Context<'_>, caller: Caller) -> Poll<Result<Option<Reply>, CommandError>> {
        *self = match core::mem::replace(self, Self::Empty) {
            Self::New(link, request) if caller == Caller::Written && link.is_nowait() => {
                let (submitted, result) = Submitted::submit_nowait(link, request);
                *self = Self::Submitted(submitted);
                return Poll::Ready(result.map(|()| None));
            }
            Self::New(link, request) => Self::Submitted(Submitted::submit(link, request, caller)),
            other => other,
        };
        match self {
            Self::Submitted(submitted) => submitted.slot.poll(cx),
            Self::Refused(error) => Poll::Ready(Err(error.clone())),
            Self::New(..) | Self::Empty => Poll::Pending,
        }
    }
}

impl Future for Sending {
    type Output = Result<(), CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = &self.outcome {
            return Poll::Ready(outcome.clone());
        }
        let outcome = ready!(self.stage.poll(cx, Caller::Written)).map(|_| ());
        self.outcome = Some(outcome.clone());
        Poll::Ready(outcome)
    }
}

impl Future for Acknowledged {
    type Output = Result<Reply, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "`Acknowledged` polled after completion");
        let result = ready!(self.stage.poll(cx, Caller::Answer));
        self.done = true;
        Poll::Ready(result.and_then(|reply| reply.ok_or(CommandError::Unanswered)))
    }
}

impl Future for Confirmed {
    type Output = Result<Reply, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "`Confirmed` polled after completion");
        self.stage = match core::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::New(link, request) => Stage::Submitted(Submitted::submit_confirmed(link, request)),
            other => other,
        };
        let result = ready!(self.stage.poll(cx, Caller::Answer));
        self.done = true;
        Poll::Ready(result.and_then(|reply| reply.ok_or(CommandError::Unanswered)))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        let failed = self.slot.abandon();
        if let (Some(error), Some(command)) = (failed, self.command) {
            self.link.report(command, self.cid.as_ref(), error);
        }
    }
}
