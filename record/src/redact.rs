//! Notes of a redacted record: keys, payloads and ids replaced.

use core::net::SocketAddr;

use rustuya_proto::{Cid, Command, DeviceConfig, DpMap, DpValue, LocalKey, RequestData, Sender, Version};

use crate::ids::Pseudonyms;
use crate::keys::KeyRing;
use crate::line::{Bytes, CommandLine, ConfigLine, Data, MAX_COMMAND, Shown, TimingLine, micros};
use crate::mask;
use crate::stream::Stream;

/// So many keys of one device are told apart.
const MAX_KEYS: usize = 999;

/// Direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Received,
    Sent,
}

/// The state of one device's redaction: its keys, its names, the frames under way.
pub(crate) struct Redactor {
    ids: Pseudonyms,
    ring: Option<KeyRing>,
    received: Stream,
    sent: Stream,
}

impl Redactor {
    pub(crate) fn new() -> Self {
        Self {
            ids: Pseudonyms::default(),
            ring: None,
            received: Stream::new(Sender::Device, 0),
            sent: Stream::new(Sender::Controller, 0),
        }
    }

    /// A machine is created, with buffers of these sizes.
    pub(crate) fn created(&mut self, rx: usize, tx: usize) {
        self.received.set_capacity(rx);
        self.sent.set_capacity(tx);
    }

    /// The device has another configuration, and with it perhaps another key.
    pub(crate) fn configure(&mut self, config: &DeviceConfig, key: u32) {
        self.end();
        self.ring = Some(KeyRing::new(&config.local_key, key));
    }

    /// The connection ended, or another one begins.
    pub(crate) fn end(&mut self) {
        self.received.end();
        self.sent.end();
        if let Some(ring) = &mut self.ring {
            ring.disconnect();
        }
    }

    /// Masks what lies in the streams although the rest of its frame may follow.
    pub(crate) fn give_up(&mut self) {
        self.received.give_up();
        self.sent.give_up();
    }

    pub(crate) fn push(&mut self, way: Way, bytes: &[u8]) {
        let stream = match way {
            Way::Received => &mut self.received,
            Way::Sent => &mut self.sent,
        };
        match &mut self.ring {
            Some(ring) => stream.push(bytes, ring, &mut self.ids),
            // A tap that was put on late: without a configuration there is nothing to open frames with.
            None => stream.push_unknown(bytes.len()),
        }
    }

    /// The masked form of the next `len` bytes, once it is known.
    pub(crate) fn pull(&mut self, way: Way, len: usize) -> Option<Vec<u8>> {
        let stream = match way {
            Way::Received => &mut self.received,
            Way::Sent => &mut self.sent,
        };
        (stream.ready() >= len).then(|| stream.pull(len))
    }
}

/// Form of the notes: as they are, or redacted.
pub(crate) struct Writing {
    pub(crate) redactor: Option<Redactor>,
    /// The keys that the device was configured with, in order.
    keys: Vec<LocalKey>,
    config: Option<DeviceConfig>,
}

impl Writing {
    pub(crate) const fn new(redactor: Option<Redactor>) -> Self {
        Self { redactor, keys: Vec::new(), config: None }
    }

    pub(crate) fn config(&mut self, config: &DeviceConfig) -> ConfigLine {
        let known = self.keys.iter().position(|key| *key == config.local_key);
        let at = known.unwrap_or_else(|| {
            if self.keys.len() < MAX_KEYS {
                self.keys.push(config.local_key.clone());
            }
            self.keys.len() - 1
        });
        let key = u32::try_from(at + 1).unwrap_or(u32::MAX);
        // The same configuration once more changes nothing, and ends nothing.
        if self.config.as_ref() != Some(config) {
            if let Some(redactor) = &mut self.redactor {
                redactor.configure(config, key);
            }
            self.config = Some(config.clone());
        }
        let id = config.id.as_str();
        ConfigLine {
            id: self.redactor.as_mut().map_or_else(|| id.to_owned(), |r| r.ids.name(id)),
            key,
            address: config.address.map(|address| self.address(address)),
            port: config.port,
            version: config.version.map(Shown),
            min_version: Some(config.min_version).filter(|least| *least != Version::V33).map(Shown),
            dialect: config.dialect,
            persist: config.persist,
            probe: config.probe_on_failure,
            timing: TimingLine::from(&config.timing),
        }
    }

    pub(crate) fn address(&mut self, address: core::net::IpAddr) -> core::net::IpAddr {
        self.redactor.as_mut().map_or(address, |redactor| redactor.ids.address(address))
    }

    pub(crate) fn socket(&mut self, to: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.address(to.ip()), to.port())
    }

    /// A command; `None` when it is far larger than anything that a device takes, so that the machine refuses it.
    pub(crate) fn command(&mut self, command: &Command<'_>) -> Option<CommandLine> {
        let data = match (command.payload(), command.data()) {
            (Some(payload), _) => Data::Raw(Bytes(match &mut self.redactor {
                Some(redactor) => mask::payload(payload, &mut redactor.ids, mask::Filler::FIRST),
                None => payload.to_vec(),
            })),
            (None, RequestData::None) => Data::None,
            (None, RequestData::Ids(ids)) => Data::Ids(ids.iter().map(|id| id.0).collect()),
            (None, RequestData::Dps(DpMap::Json(text))) => Data::Dps(self.text(text)),
            (None, RequestData::Dps(DpMap::Pairs(pairs))) => Data::Dps(self.text(&written(pairs))),
            (None, RequestData::Json(text)) => Data::Json(self.text(text)),
        };
        let size = match &data {
            Data::None => 0,
            Data::Ids(ids) => ids.len() * 6,
            Data::Dps(text) | Data::Json(text) => text.len(),
            Data::Raw(bytes) => bytes.0.len() * 2,
        };
        (size <= MAX_COMMAND).then(|| CommandLine {
            at_most: command.frame_limit(),
            command: command.code().0,
            cid: command.cid().map(|cid| match &mut self.redactor {
                // An unusable cid has to stay one.
                Some(redactor) if Cid::new(cid).is_ok() => redactor.ids.name(cid),
                Some(_) => String::new(),
                None => cid.to_owned(),
            }),
            unix_time: command.unix_time(),
            timeout: command.timeout().map(micros),
            data,
        })
    }

    fn text(&mut self, text: &str) -> String {
        match &mut self.redactor {
            Some(redactor) => mask::command(text, &mut redactor.ids),
            None => text.to_owned(),
        }
    }
}

/// DPs as JSON text, exactly as long as the machine writes them.
pub(crate) fn written(pairs: &[(rustuya_proto::DpId, DpValue<'_>)]) -> String {
    let mut out = String::from("{");
    for (at, (id, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&format!("\"{id}\":"));
        match value {
            DpValue::Null => out.push_str("null"),
            DpValue::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
            DpValue::Int(number) => out.push_str(&number.to_string()),
            DpValue::Float(number) => out.push_str(number.as_str()),
            DpValue::Str(text) => mask::quote(&mut out, text.chars()),
            DpValue::Json(text) => out.push_str(text.as_str().unwrap_or("null")),
        }
    }
    out.push('}');
    out
}
