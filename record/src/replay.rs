//! Reading a record, line by line.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, Read as _};

use rustuya_proto::{DeviceConfig, DeviceId, Instant, LocalKey};

use crate::error::{RecordError, RecordErrorKind as Kind};
use crate::keys::substitute;
use crate::line::{ConfigLine, FORMAT, Header, Line, MAX_BUFFER, MAX_LINE, MAX_POLLS, NAME, Op};
use crate::player::Player;
use crate::step::Step;

/// So many devices are replayed at once.
const MAX_DEVICES: usize = 4096;

/// Repeats a record: feeds it to fresh machines and yields what happens.
///
/// Memory is bounded: one line, and one machine with its buffers for each device. The first error ends it.
///
/// ```
/// # use rustuya_record::{RecordError, Replay};
/// # fn show(file: std::fs::File) -> Result<(), RecordError> {
/// for step in Replay::new(std::io::BufReader::new(file))? {
///     println!("{}", step?);
/// }
/// # Ok(()) }
/// ```
pub struct Replay<R> {
    input: R,
    line: u64,
    redacted: bool,
    keys: Vec<LocalKey>,
    players: BTreeMap<u32, Player>,
    steps: VecDeque<Step>,
    ended: bool,
}

impl<R: BufRead> Replay<R> {
    /// Begins to read the record `input`.
    ///
    /// # Errors
    /// Fails when `input` cannot be read, or is no record of a known format.
    pub fn new(input: R) -> Result<Self, RecordError> {
        let mut replay = Self {
            input,
            line: 0,
            redacted: true,
            keys: Vec::new(),
            players: BTreeMap::new(),
            steps: VecDeque::new(),
            ended: false,
        };
        let first = replay.next_line()?.unwrap_or_default();
        replay.redacted = header(&first).map_err(|kind| RecordError::new(1, kind))?.redacted;
        Ok(replay)
    }

    /// Returns whether the record is without keys, payloads and ids. If not, it needs the [keys](Self::with_keys).
    pub const fn is_redacted(&self) -> bool {
        self.redacted
    }

    /// The keys for a record that is not redacted, in the order in which the device was configured with them: usually
    /// one.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<LocalKey>) -> Self {
        self.keys = keys;
        self
    }

    /// The next line that is not empty; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        loop {
            self.line += 1;
            let fail = |kind| RecordError::new(self.line, kind);
            let mut text = Vec::new();
            let limit = MAX_LINE as u64 + 1;
            self.input.by_ref().take(limit).read_until(b'\n', &mut text).map_err(|error| fail(Kind::Io(error)))?;
            if text.is_empty() {
                return Ok(None);
            }
            if text.len() > MAX_LINE {
                return Err(fail(Kind::TooLong(MAX_LINE)));
            }
            if !text.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(text));
            }
        }
    }

    /// Takes one line. Its steps are queued; whether there was a line.
    fn advance(&mut self) -> Result<bool, RecordError> {
        let Some(text) = self.next_line()? else {
            return Ok(false);
        };
        self.take(&text).map_err(|kind| RecordError::new(self.line, kind))?;
        Ok(true)
    }

    fn take(&mut self, text: &[u8]) -> Result<(), Kind> {
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            // Each recorder that shares a file begins with one.
            Err(error) => {
                return match header(text) {
                    Ok(header) if header.redacted == self.redacted => Ok(()),
                    _ => Err(Kind::Malformed(error)),
                };
            }
        };
        let now = Instant::from_micros(line.at);
        let config = match &line.op {
            Op::Created { config, .. } | Op::Reconfigured(config) => Some(self.config(config)?),
            _ => None,
        };
        let known = self.players.contains_key(&line.device);
        if let Op::Created { rx, tx, .. } = &line.op {
            if *rx > MAX_BUFFER || *tx > MAX_BUFFER {
                return Err(Kind::Value("a buffer is larger than any that is recorded"));
            }
            if !known && self.players.len() >= MAX_DEVICES {
                return Err(Kind::TooManyDevices(MAX_DEVICES));
            }
            if let Some(config) = config.clone() {
                if self.players.get(&line.device).is_some_and(|player| player.now() > now) {
                    return Err(Kind::Time);
                }
                self.players.insert(line.device, Player::new(config, *rx, *tx, now));
            }
        }
        if matches!(line.op, Op::Poll { times } if times > MAX_POLLS) {
            return Err(Kind::Value("more polls than a line holds"));
        }
        let player = self.players.get_mut(&line.device).ok_or(Kind::UnknownDevice(line.device))?;
        if now < player.now() {
            return Err(Kind::Time);
        }
        let device = line.device;
        for what in player.play(line, config, now) {
            self.steps.push_back(Step { at: now, device, line: self.line, what });
        }
        Ok(())
    }

    fn config(&self, line: &ConfigLine) -> Result<DeviceConfig, Kind> {
        let key = if self.redacted {
            substitute(line.key)
        } else {
            let at = usize::try_from(line.key).ok().and_then(|number| number.checked_sub(1));
            at.and_then(|at| self.keys.get(at)).cloned().ok_or(Kind::KeyNeeded(line.key))?
        };
        let id = DeviceId::new(&line.id).map_err(|_| Kind::Value("a device id is unusable"))?;
        let mut config = DeviceConfig::new(id, key);
        config.address = line.address;
        config.port = line.port;
        config.version = line.version.map(|version| version.0);
        config.min_version = line.min_version.map_or(config.min_version, |version| version.0);
        config.dialect = line.dialect;
        config.persist = line.persist;
        config.probe_on_failure = line.probe;
        config.timing = (&line.timing).into();
        Ok(config)
    }
}

/// Reads a first line.
fn header(text: &[u8]) -> Result<Header, Kind> {
    let header: Header = serde_json::from_slice(text).map_err(|_| Kind::NoRecord)?;
    match header {
        Header { record, .. } if record != NAME => Err(Kind::NoRecord),
        Header { format, .. } if format != FORMAT => Err(Kind::Format(format)),
        header => Ok(header),
    }
}

impl<R: BufRead> Iterator for Replay<R> {
    type Item = Result<Step, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(Ok(step));
            }
            if self.ended {
                return None;
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<R> core::fmt::Debug for Replay<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Replay").field("line", &self.line).field("redacted", &self.redacted).finish_non_exhaustive()
    }
}
