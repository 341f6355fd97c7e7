//! Commands as futures.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{Cid, CommandCode};

use crate::effect::Effect;
use crate::error::CommandError;
use crate::link::{Ask, Link};
use crate::reply::Reply;
use crate::slot::{Caller, Slot};

/// A command that is given when this is first polled, and done when it is written to the device's connection.
///
/// While there is no connection it waits for one, up to the command time-out. What becomes of it after that is told
/// to listeners, as [`Event::Failed`](crate::Event::Failed), if it fails. For a device that was configured with
/// [`nowait`](crate::DeviceBuilder::nowait) it is done as soon as it is queued.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
/// device.set_value(1, true).await?; // written
/// device.set_value(1, false).acknowledged().await?; // answered
/// device.set_value(1, true).queue()?; // on its way
/// device.set_value(1, true).timeout(Duration::from_secs(2)).await?; // written, or failed within two seconds
/// # Ok(())
/// # }
/// ```
///
/// One that was polled already can still be [queued](Self::queue), or asked for its
/// [answer](Self::acknowledged): the command stays the one that was given. One that is done says the same when it is
/// polled again.
///
/// # Cancel safety
/// A dropped future takes the command back if it was not sent yet. If it was, it takes effect; a failure is told to
/// listeners.
#[derive(Debug)]
#[must_use = "a command is given when its future is polled, or with `queue`"]
pub struct Sending {
    stage: Stage,
    /// What was told the caller already.
    outcome: Option<Result<(), CommandError>>,
}

/// A command that is given when this is first polled, and done when the device has answered it.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
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
/// A dropped future takes the command back if it was not sent yet. If it was, it takes effect; a failure is told to
/// listeners, as [`Event::Failed`](crate::Event::Failed).
///
/// # Panics
/// When it is polled again after it is done, as an `async` block.
#[derive(Debug)]
#[must_use = "a command is given when its future is polled"]
pub struct Acknowledged {
    stage: Stage,
    done: bool,
}

/// A write that is given when this is first polled, and done when the device shows what was written. Gives the DPs as
/// the device shows them.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
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
/// [`CommandError::NoEffect`] says what is there instead; other errors as of [`Acknowledged`].
///
/// # Cancel safety
/// As [`Acknowledged`].
///
/// # Panics
/// When it is polled again after it is done, as an `async` block.
#[derive(Debug)]
#[must_use = "a command is given when its future is polled"]
pub struct Confirmed {
    stage: Stage,
    done: bool,
}

#[derive(Debug)]
enum Stage {
    /// Not given yet.
    New(Order),
    /// It cannot be given.
    Refused(CommandError),
    /// On its way, or done.
    Given(Given),
    /// Its place, while it changes.
    Empty,
}

#[derive(Debug)]
struct Order {
    link: Arc<Link>,
    ask: Ask,
    cid: Option<Cid>,
    timeout: Option<Duration>,
}

/// A command that was given, and what is told if it fails.
#[derive(Debug)]
struct Given {
    link: Arc<Link>,
    slot: Arc<Slot>,
    /// `None` for what is no command.
    command: Option<CommandCode>,
    cid: Option<Cid>,
    /// The JSON text of the DPs that it writes.
    writes: Option<Arc<str>>,
}

impl Sending {
    pub(crate) fn new(link: &Arc<Link>, ask: Result<Ask, CommandError>, cid: Option<Cid>) -> Self {
        let stage = match ask {
            Ok(ask) => Stage::New(Order { link: Arc::clone(link), ask, cid, timeout: None }),
            Err(error) => Stage::Refused(error),
        };
        Self { stage, outcome: None }
    }

    /// Waits for the device's answer, too. Of a command that was given already, waits for the answer to that one.
    pub fn acknowledged(mut self) -> Acknowledged {
        if let Stage::Given(given) = &self.stage {
            given.slot.want_answer();
        }
        let stage = match self.outcome.take() {
            // It was told, and there is nothing else to be said.
            Some(Err(error)) => Stage::Refused(error),
            _ => core::mem::replace(&mut self.stage, Stage::Empty),
        };
        Acknowledged { stage, done: false }
    }

    /// Waits for the effect, too: an acknowledgement proves that the device has received a write, not that it did
    /// something. Done when the device shows what was written, by a push or, where none comes within a second, when it
    /// is asked. Also where the device does not acknowledge. Of what writes no DPs, waits for the answer. Without a
    /// [`timeout`](Self::timeout), the waits add up: for the connection, for the acknowledgement
    /// ([`Timing::answer`](crate::Timing::answer)), and for what the device shows, which may take as long as any query.
    pub fn confirmed(mut self) -> Confirmed {
        if let Stage::Given(given) = &self.stage {
            given.confirm();
        }
        let stage = match self.outcome.take() {
            Some(Err(error)) => Stage::Refused(error),
            _ => core::mem::replace(&mut self.stage, Stage::Empty),
        };
        Confirmed { stage, done: false }
    }

    /// Limits this command as a whole: the wait for the connection, for the answer and, of one that is
    /// [confirmed](Self::confirmed), for the effect, together. Changes nothing for one that was polled: it was given with
    /// the limit that it had then.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Stage::New(order) = &mut self.stage {
            order.timeout = Some(timeout);
        }
        self
    }

    /// Gives the command now, from any thread, and does not wait for anything. If it fails, listeners are told. One
    /// that was given already goes on, and is not given twice.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
    /// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
    /// #     .address(lamp.local_addr())
    /// #     .version(Version::V34)
    /// #     .spawn(&Tokio);
    /// assert_eq!(device.set_value("switch", true).queue(), Err(CommandError::InvalidDp("switch".into())));
    /// assert_eq!(device.set_value("1", true).queue(), Ok(()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What can be said at once: [`CommandError::InvalidDp`], [`CommandError::InvalidValue`],
    /// [`CommandError::Closed`], [`CommandError::Busy`] when 256 commands wait already; of a command that was given
    /// already, how it failed if it has.
    pub fn queue(mut self) -> Result<(), CommandError> {
        if let Some(outcome) = self.outcome.take() {
            return outcome;
        }
        match core::mem::replace(&mut self.stage, Stage::Empty) {
            Stage::New(order) => order.post().1,
            Stage::Refused(error) => Err(error),
            Stage::Given(given) => given.slot.detach(),
            Stage::Empty => Ok(()),
        }
    }
}

impl Order {
    fn give(self, caller: Caller) -> Given {
        let Self { link, ask, cid, timeout } = self;
        let (command, writes, slot) = (ask.command(), ask.writes(), Slot::new(caller));
        link.submit(ask, cid.clone(), Arc::clone(&slot), timeout);
        Given { link, slot, command, cid, writes }
    }

    fn give_confirmed(self) -> Given {
        let Self { link, ask, cid, timeout } = self;
        let (command, writes, slot) = (ask.command(), ask.writes(), Slot::new(Caller::Answer));
        if let Some(effect) = writes.as_deref().and_then(Effect::new) {
            slot.expect(effect);
        }
        link.submit(ask, cid.clone(), Arc::clone(&slot), timeout);
        Given { link, slot, command, cid, writes }
    }

    fn post(self) -> (Given, Result<(), CommandError>) {
        let Self { link, ask, cid, timeout } = self;
        let (command, writes, slot) = (ask.command(), ask.writes(), Slot::new(Caller::Nothing));
        let result = link.post(ask, cid.clone(), Arc::clone(&slot), timeout);
        (Given { link, slot, command, cid, writes }, result)
    }
}

impl Given {
    /// Looks for the effect from now on.
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
            Self::New(order) if caller == Caller::Written && order.link.is_nowait() => {
                let (given, result) = order.post();
                *self = Self::Given(given);
                return Poll::Ready(result.map(|()| None));
            }
            Self::New(order) => Self::Given(order.give(caller)),
            other => other,
        };
        match self {
            Self::Given(given) => given.slot.poll(cx),
            Self::Refused(error) => Poll::Ready(Err(error.clone())),
            Self::New(_) | Self::Empty => Poll::Pending,
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
            Stage::New(order) => Stage::Given(order.give_confirmed()),
            other => other,
        };
        let result = ready!(self.stage.poll(cx, Caller::Answer));
        self.done = true;
        Poll::Ready(result.and_then(|reply| reply.ok_or(CommandError::Unanswered)))
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let failed = self.slot.abandon();
        if let (Some(error), Some(command)) = (failed, self.command) {
            self.link.report(command, self.cid.as_ref(), error);
        }
    }
}
