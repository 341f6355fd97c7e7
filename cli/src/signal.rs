//! How commands that run for long are told to end.

use core::time::Duration;
use std::io;
use std::sync::mpsc;

/// Ctrl-C, or on Unix also SIGTERM.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

/// So long a command may take to end by itself once it was told to.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the process a while after the first signal, whatever the command waits for then: a reader of its output that does
/// not read, or a name server that does not answer.
fn insist() -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    let insists = move || {
        let begun = crate::runtime().and_then(|runtime| {
            let inside = runtime.enter();
            let stop = Stop::signals()?;
            drop(inside);
            Ok((runtime, stop))
        });
        let (begun, outcome) = match begun {
            Ok(begun) => (Some(begun), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // It is waited for.
        let _ = tell.send(outcome);
        if let Some((runtime, mut stop)) = begun {
            runtime.block_on(async {
                stop.wait().await;
                tokio::time::sleep(GRACE).await;
            });
            std::process::exit(1);
        }
    };
    // Everything is made in the thread: a runtime that comes to nothing cannot be dropped within another one.
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(insists);
    thread.map_err(|error| io::Error::new(error.kind(), format!("no thread can be started: {error}")))?;
    told.recv().map_err(io::Error::other)?
}

impl Stop {
    /// From now on, the signals end the command, which has a moment to say goodbye.
    pub(crate) fn new() -> io::Result<Self> {
        insist()?;
        Self::signals()
    }

    /// From now on, the signals no longer end the process by themselves.
    #[cfg(unix)]
    fn signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// From now on, Ctrl-C no longer ends the process by itself.
    #[cfg(windows)]
    fn signals() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for either.
    #[cfg(unix)]
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for it.
    #[cfg(windows)]
    pub(crate) async fn wait(&mut self) {
        self.interrupt.recv().await;
    }
}
