//! Messages of the wizard while it works, on stderr.

use std::io::{self, IsTerminal, Write};

use rustuya_cloud::Progress;

use super::code;
use crate::output::plain;

/// Says what goes on. A line about products is drawn over the one before.
pub(super) struct Tell {
    is_terminal: bool,
    shown: bool,
}

impl Tell {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), shown: false }
    }

    pub(super) fn news(&mut self, news: &Progress) {
        let line = match news {
            Progress::Trying(place) => format!("asking the data centre {place}"),
            Progress::Refused(tried) => format!("{}: {}", tried.place, tried.error),
            Progress::Accepted(place) => format!("{place} accepts the project"),
            Progress::Clock(ms) => {
                let word = if *ms < 0 { "ahead" } else { "late" };
                format!("this computer's clock is {} s {word}: set it", ms.unsigned_abs() / 1000)
            }
            Progress::TokenRenewed => {
                "another program has fetched a token for this project: fetching a new one".to_owned()
            }
            Progress::Devices(count) => format!("devices so far: {count}"),
            Progress::Product { at, of } => return self.over(&format!("what DPs mean: product {at} of {of}")),
            Progress::Waiting(time, error) => format!("{error}: trying again in {} s", time.as_secs()),
            Progress::Code(text) => return self.code(text.expose()),
            Progress::LoggedIn => "logged in".to_owned(),
            Progress::LoggedOut => "logged out again".to_owned(),
            _ => return,
        };
        self.clear();
        eprintln!("rustuya: {}", plain(&line));
    }

    /// Takes the line about products away.
    pub(super) fn clear(&mut self) {
        if core::mem::take(&mut self.shown) {
            // It is only for the eye.
            drop(write!(io::stderr(), "\r{:60}\r", ""));
        }
    }

    fn over(&mut self, line: &str) {
        if self.is_terminal {
            self.shown = true;
            drop(write!(io::stderr(), "\r{line}"));
        }
    }

    fn code(&mut self, text: &str) {
        self.clear();
        match code::draw(text) {
            Some(drawn) => {
                eprintln!("{drawn}");
                eprintln!("rustuya: scan this with the app (Me > the symbol for scanning), within five minutes");
            }
            None => eprintln!("rustuya: the text of the QR code is too long to be drawn"),
        }
    }
}
