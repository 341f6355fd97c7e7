//! Commands as futures.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::Cid;

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
/// # Cancel safety
/// A dropped future takes the command back if it was not sent yet. If it was, it takes effect.
#[derive(Debug)]
#[must_use = "a command is given when its future is polled, or with `queue`"]
pub struct Sending(Stage);

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
#[derive(Debug)]
#[must_use = "a command is given when its future is polled"]
pub struct Acknowledged(Stage);

#[derive(Debug)]
enum Stage {
    /// Not given yet.
    New(Option<Order>),
    /// It cannot be given.
    Refused(Option<CommandError>),
    /// On its way.
    Given(Arc<Slot>),
    /// The result was handed out.
    Done,
}

#[derive(Debug)]
struct Order {
    link: Arc<Link>,
    ask: Ask,
    cid: Option<Cid>,
    timeout: Option<Duration>,
}

impl Sending {
    pub(crate) fn new(link: &Arc<Link>, ask: Result<Ask, CommandError>, cid: Option<Cid>) -> Self {
        Self(match ask {
            Ok(ask) => Stage::New(Some(Order { link: Arc::clone(link), ask, cid, timeout: None })),
            Err(error) => Stage::Refused(Some(error)),
        })
    }

    /// Waits for the device's answer, too.
    pub fn acknowledged(mut self) -> Acknowledged {
        Acknowledged(core::mem::replace(&mut self.0, Stage::Done))
    }

    /// Limits the wait for the connection, and the wait for the answer that follows, for this command alone.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Stage::New(Some(order)) = &mut self.0 {
            order.timeout = Some(timeout);
        }
        self
    }

    /// Gives the command now, from any thread, and does not wait for anything. If it fails, listeners are told.
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
    /// [`CommandError::Closed`], [`CommandError::Busy`] when 256 commands wait already.
    pub fn queue(mut self) -> Result<(), CommandError> {
        match &mut self.0 {
            Stage::New(order) => match order.take() {
                Some(order) => order.post(),
                None => Ok(()),
            },
            Stage::Refused(error) => error.take().map_or(Ok(()), Err),
            Stage::Given(_) | Stage::Done => Ok(()),
        }
    }
}

impl Order {
    fn give(self, caller: Caller) -> Arc<Slot> {
        self.link.submit(self.ask, self.cid, caller, self.timeout)
    }

    fn post(self) -> Result<(), CommandError> {
        self.link.post(self.ask, self.cid, self.timeout)
    }
}

impl Stage {
    fn poll(&mut self, cx: &Context<'_>, caller: Caller) -> Poll<Result<Option<Reply>, CommandError>> {
        if let Self::New(order) = self
            && let Some(order) = order.take()
        {
            if caller == Caller::Written && order.link.is_nowait() {
                *self = Self::Done;
                return Poll::Ready(order.post().map(|()| None));
            }
            *self = Self::Given(order.give(caller));
        }
        let result = match self {
            Self::Given(slot) => slot.poll(cx),
            Self::Refused(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Pending,
            },
            Self::New(_) | Self::Done => Poll::Pending,
        };
        if result.is_ready() {
            *self = Self::Done;
        }
        result
    }
}

impl Future for Sending {
    type Output = Result<(), CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, Caller::Written).map_ok(|_| ())
    }
}

impl Future for Acknowledged {
    type Output = Result<Reply, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, Caller::Answer).map(|result| result.and_then(|reply| reply.ok_or(CommandError::Unanswered)))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Self::Given(slot) = self {
            slot.abandon();
        }
    }
}
