//! Messages of the wizard while it works, on stderr.

use std::io::{self, IsTerminal, Write};

use rustuya_cloud::{Progress, QrText};

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
        match news {
            Progress::Product { .. } => return self.over(&news.to_string()),
            Progress::Code(text) => self.code(text),
            _ => {}
        }
        self.clear();
        eprintln!("rustuya: {}", plain(&news.to_string()));
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

    fn code(&mut self, text: &QrText) {
        self.clear();
        match text.draw() {
            Some(drawn) => eprintln!("{drawn}"),
            None => eprintln!("rustuya: the text of the QR code is too long to be drawn"),
        }
    }
}
