//! Signals that end long-running commands.

use core::time::Duration;
use std::io;
use std::sync::mpsc;

/// Receiver of Ctrl-C, and on Unix also of SIGTERM.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

/// Time for a command to end by itself after the signal.
const GRACE: Duration = Duration::from_secs(2);

/// Calls `then` on the first signal, and ends the process after the time that it returns, even if the command is blocked:
/// by a reader of its output that does not read, or by a name server that does not answer.
pub(crate) fn on_first(then: impl FnOnce() -> Duration + Send + 'static) -> io::Result<()> {
    let (send, started) = mpsc::channel();
    let wait = move || {
        let started = crate::runtime().and_then(|runtime| {
            let inside = runtime.enter();
            let stop = Stop::signals()?;
            drop(inside);
            Ok((runtime, stop))
        });
        let (begun, outcome) = match started {
            Ok(begun) => (Some(begun), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // The receiver waits for it.
        let _ = send.send(outcome);
        if let Some((runtime, mut stop)) = begun {
            runtime.block_on(async {
                stop.wait().await;
                tokio::time::sleep(then()).await;
            });
            std::process::exit(1);
        }
    };
    // The thread creates everything, because a runtime whose creation fails cannot be dropped within another one.
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
    thread.map_err(|error| io::Error::new(error.kind(), format!("no thread can be started: {error}")))?;
    started.recv().map_err(io::Error::other)?
}

impl Stop {
    /// Takes over the signals: they now end the command, within [`GRACE`].
    pub(crate) fn new() -> io::Result<Self> {
        on_first(|| GRACE)?;
        Self::signals()
    }

    /// Takes over the signals, which no longer end the process by themselves.
    #[cfg(unix)]
    fn signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Takes over Ctrl-C, which no longer ends the process by itself.
    #[cfg(windows)]
    fn signals() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for either signal.
    #[cfg(unix)]
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the signal.
    #[cfg(windows)]
    pub(crate) async fn wait(&mut self) {
        self.interrupt.recv().await;
    }
}
