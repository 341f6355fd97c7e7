//! Both machines with a connection between them that changes bytes as the input says, and their invariants.

use std::collections::BTreeSet;

use rustuya_proto::{
    Command, CommandId, ConnId, Device, DeviceConfig, DeviceId, Dialect, DpId, DpMap, DpValue, Emulator,
    EmulatorConfig, EmulatorEvent, EmulatorOutput, Event, FixedModel, Instant, LocalKey, LossReason, Message, Output,
    Payload, Quirks, RequestData, RxBuf, SendError, TxBuf, Version,
};
use rustuya_seeded::SeededRng;

use crate::input::Input;
use crate::tap::Tap;

pub(crate) const KEY: [u8; 16] = *b"0123456789abcdef";
pub(crate) const CHILD: &str = "a4c1380123456789";
/// Largest number of polls until `Wait`: a full receive buffer holds far fewer frames, the table far fewer commands.
const MAX_POLLS: usize = 2000;

pub(crate) fn device_config() -> DeviceConfig {
    DeviceConfig::new(DeviceId::new("eb0123456789abcdefghij").expect("an id"), LocalKey::new(KEY))
        .address([127, 0, 0, 1].into())
}

/// Model of an emulated device.
pub(crate) type Memory = FixedModel<8, 2>;

/// Creates a gateway with some DPs and a sub-device.
pub(crate) fn model() -> Memory {
    let mut model = Memory::new();
    let child = rustuya_proto::Cid::new(CHILD).expect("a cid");
    model.set_child(&child, true).expect("room");
    for (cid, dp) in [(None, 1), (None, 2), (Some(CHILD), 1)] {
        model.set(cid, DpId(dp), DpValue::Bool(false)).expect("room");
    }
    model.set(None, DpId(3), DpValue::Int(50)).expect("room");
    model
}

pub(crate) fn emulator_config(version: Version, dialect: Dialect, quirks: Quirks) -> EmulatorConfig {
    let id = DeviceId::new("eb0123456789abcdefghij").expect("an id");
    EmulatorConfig::new(id, version, LocalKey::new(KEY)).with_dialect(dialect).with_quirks(quirks)
}

/// Device's end of one connection.
pub(crate) struct Peer {
    emulator: Emulator,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    pub(crate) closed: bool,
    /// Bytes in transit.
    pub(crate) to_device: Vec<u8>,
    pub(crate) to_controller: Vec<u8>,
    pub(crate) tap: Tap,
}

pub(crate) struct World {
    pub(crate) device: Device,
    pub(crate) emulated: EmulatorConfig,
    model: Memory,
    pub(crate) now: Instant,
    rng: SeededRng,
    pub(crate) rx: RxBuf<Vec<u8>>,
    pub(crate) tx: TxBuf<Vec<u8>>,
    open: BTreeSet<CommandId>,
    /// Connection that is being dialed.
    pub(crate) dialing: Option<ConnId>,
    /// Every connection so far, the latest last.
    pub(crate) conns: Vec<ConnId>,
    pub(crate) peer: Option<Peer>,
    device_tx: usize,
}

impl World {
    /// Creates both machines. `sizes` are those of the controller's receive and send buffers and of the device's send
    /// buffer.
    pub(crate) fn new(config: DeviceConfig, emulated: EmulatorConfig, sizes: [usize; 3]) -> Self {
        let now = Instant::from_millis(1_000);
        Self {
            device: Device::new(config, now),
            emulated,
            model: model(),
            now,
            rng: SeededRng::new(1),
            rx: RxBuf::new(vec![0; sizes[0]]),
            tx: TxBuf::new(vec![0; sizes[1]]),
            open: BTreeSet::new(),
            dialing: None,
            conns: Vec::new(),
            peer: None,
            device_tx: sizes[2],
        }
    }

    /// Polls the controller until it waits.
    pub(crate) fn poll_controller(&mut self) {
        for _ in 0..MAX_POLLS {
            let output = self.device.poll(self.now, &mut self.rng, &mut self.rx, &mut self.tx);
            match output {
                Output::Dial { conn, .. } => {
                    assert!(self.rx.is_empty() && self.tx.is_empty(), "a dial with bytes of the connection before");
                    self.dialing = Some(conn);
                    self.conns.push(conn);
                    self.peer = None;
                }
                Output::Hangup { conn } => {
                    assert!(self.conns.last() == Some(&conn), "the end of a connection that is not the latest");
                    self.dialing = None;
                    self.peer = None;
                }
                Output::Event(event) => {
                    if let Event::Resolved { id, .. } = &event {
                        assert!(self.open.remove(id), "resolved twice, or never sent: {id:?}");
                    }
                    if let Some(message) = event.message() {
                        visit(message);
                    }
                }
                Output::Wait { until } => {
                    assert!(!self.rx.spare_mut().is_empty(), "waits for bytes that have no room");
                    assert!(until.is_none_or(|until| until > self.now), "waits for the past");
                    assert!(self.device.is_up() || self.open.is_empty(), "down with commands unresolved");
                    return;
                }
            }
        }
        panic!("the controller never waits");
    }

    /// Polls the device until it waits or hangs up. Its written bytes are in transit then.
    pub(crate) fn poll_emulator(&mut self) {
        if let Some(peer) = &mut self.peer {
            peer.poll(&mut self.model, self.now, &mut self.rng);
        }
    }

    /// Accepts the dial, with the emulated device at the other end.
    pub(crate) fn accept(&mut self) {
        let Some(conn) = self.dialing.take() else { return };
        self.device.handle_dialed(conn, self.now);
        self.peer = Some(Peer::new(self.emulated.clone(), self.device_tx, self.now, &mut self.rng));
        self.poll_controller();
        self.poll_emulator();
    }

    /// Writes up to `len` of the controller's bytes.
    pub(crate) fn write(&mut self, len: usize) {
        let sent = self.tx.pending();
        let sent = &sent[..len.min(sent.len())];
        let len = sent.len();
        if let Some(peer) = &mut self.peer {
            peer.tap.controller_wrote(sent);
            peer.to_device.extend_from_slice(sent);
        }
        self.tx.consume(len);
    }

    /// Delivers up to `len` bytes to the controller.
    pub(crate) fn deliver_to_controller(&mut self, len: usize) {
        let Some(peer) = &mut self.peer else { return };
        let arrived = move_into(&mut peer.to_controller, len, &mut self.rx);
        if peer.closed && peer.to_controller.is_empty() && arrived < len.max(1) {
            self.peer = None;
            if let Some(conn) = self.conns.last() {
                self.device.handle_lost(*conn, LossReason::Closed, self.now);
            }
        }
        self.poll_controller();
    }

    /// Delivers up to `len` bytes to the device.
    pub(crate) fn deliver_to_device(&mut self, len: usize) {
        if let Some(peer) = &mut self.peer {
            peer.deliver(len);
        }
        self.poll_emulator();
    }

    /// Delivers all bytes, in reads of `size` bytes, until neither side sends more.
    pub(crate) fn exchange(&mut self, size: usize) {
        for _ in 0..MAX_POLLS {
            self.poll_controller();
            self.write(usize::MAX);
            self.poll_emulator();
            let Some(peer) = &self.peer else { return };
            if peer.to_device.is_empty() && peer.to_controller.is_empty() && !peer.closed {
                return;
            }
            self.deliver_to_device(size);
            self.deliver_to_controller(size);
        }
    }

    /// Sends the command that `input` describes.
    pub(crate) fn send(&mut self, input: &mut Input<'_>) {
        let (kind, choice) = (input.byte(), input.byte());
        let ids = [DpId(u16::from(choice)), DpId(1), DpId(3)];
        let ids = &ids[..1 + usize::from(choice) % 3];
        let map = [(ids[0], DpValue::Int(i64::from(kind))), (DpId(1), DpValue::Bool(choice & 1 == 0))];
        let text;
        let command = match kind % 9 {
            0 => Command::status(),
            1 => Command::status_of(ids),
            2 => Command::set(DpMap::Pairs(&map)),
            3 => Command::update_dps(ids),
            4 => Command::sub_devices(),
            5 => Command::raw(rustuya_proto::CommandCode(u32::from(choice)), input.take(usize::from(kind))),
            6 => {
                text = String::from_utf8_lossy(input.take(usize::from(kind))).into_owned();
                Command::set(DpMap::Json(&text))
            }
            7 => {
                text = String::from_utf8_lossy(input.take(usize::from(kind))).into_owned();
                Command::request(rustuya_proto::CommandCode(u32::from(choice)), RequestData::Json(&text))
            }
            _ => Command::request(rustuya_proto::CommandCode::HEART_BEAT, RequestData::None),
        };
        let command = if kind & 0x80 == 0 { command } else { command.with_cid(CHILD) };
        let (up, before) = (self.device.is_up(), self.tx.pending().len());
        match self.device.send(&command, self.now, &mut self.rng, &mut self.tx) {
            Ok(id) => {
                assert!(up && self.tx.pending().len() > before, "accepted, but not written");
                assert!(self.open.insert(id), "two commands of one name");
            }
            Err(error) => {
                assert_eq!(error == SendError::NotReady, !up, "{error:?}");
                assert_eq!(self.tx.pending().len(), before, "written, but not accepted");
            }
        }
    }

    /// Changes a DP at the device.
    pub(crate) fn push(&mut self, choice: u8) {
        if let Some(peer) = &mut self.peer {
            peer.push(choice, self.now, &mut self.rng);
        }
        self.poll_emulator();
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: core::time::Duration) {
        self.now = self.now + time;
        self.poll_controller();
        self.poll_emulator();
    }

    /// Closes the controller, which must resolve all commands and then wait for ever.
    pub(crate) fn finish(mut self) {
        self.device.close();
        self.poll_controller();
        assert!(self.open.is_empty(), "never resolved: {:?}", self.open);
        self.now = self.now + core::time::Duration::from_secs(3600);
        let output = self.device.poll(self.now, &mut self.rng, &mut self.rx, &mut self.tx);
        assert!(matches!(output, Output::Wait { until: None }), "closed, yet {output:?}");
    }
}

impl Peer {
    /// Creates a device that has just accepted a connection.
    pub(crate) fn new(config: EmulatorConfig, tx: usize, now: Instant, rng: &mut SeededRng) -> Self {
        let tap = Tap::new(config.version, &config.local_key);
        Self {
            emulator: Emulator::new(config, now, rng),
            rx: RxBuf::new(vec![0; 1024]),
            tx: TxBuf::new(vec![0; tx]),
            closed: false,
            to_device: Vec::new(),
            to_controller: Vec::new(),
            tap,
        }
    }

    /// Polls the device until it waits or hangs up.
    pub(crate) fn poll(&mut self, model: &mut Memory, now: Instant, rng: &mut SeededRng) {
        for _ in 0..MAX_POLLS {
            match self.emulator.poll(now, rng, model, &mut self.rx, &mut self.tx) {
                EmulatorOutput::Hangup { .. } => {
                    self.closed = true;
                    self.flush();
                    return;
                }
                EmulatorOutput::Event(event) => {
                    if let EmulatorEvent::Request { payload, .. } = &event {
                        read(payload);
                    }
                }
                EmulatorOutput::Wait { .. } if !self.tx.is_empty() => self.flush(),
                EmulatorOutput::Wait { until } => {
                    assert!(!self.rx.spare_mut().is_empty(), "the device waits for bytes that have no room");
                    assert!(until.is_none_or(|until| until > now), "the device waits for the past");
                    return;
                }
            }
        }
        panic!("the device never waits");
    }

    /// Delivers up to `len` bytes to the device.
    pub(crate) fn deliver(&mut self, len: usize) {
        if self.closed {
            self.to_device.clear();
        } else {
            move_into(&mut self.to_device, len, &mut self.rx);
        }
    }

    /// Changes a DP at the device.
    pub(crate) fn push(&mut self, choice: u8, now: Instant, rng: &mut SeededRng) {
        if choice == 0 {
            self.emulator.report_children();
        } else {
            let map = [(DpId(u16::from(choice >> 1)), DpValue::Int(i64::from(choice)))];
            let cid = (choice & 1 == 1).then_some(CHILD);
            let _ = self.emulator.push(cid, DpMap::Pairs(&map), now, rng, &mut self.tx);
        }
    }

    fn flush(&mut self) {
        let sent = self.tx.pending();
        self.tap.device_wrote(sent);
        self.to_controller.extend_from_slice(sent);
        self.tx.consume(usize::MAX);
    }
}

fn move_into(from: &mut Vec<u8>, len: usize, to: &mut RxBuf<Vec<u8>>) -> usize {
    let spare = to.spare_mut();
    let len = len.min(from.len()).min(spare.len());
    spare[..len].copy_from_slice(&from[..len]);
    to.commit(len);
    from.drain(..len);
    len
}

/// Calls every method of a message.
fn visit(message: &Message<'_>) {
    let _ = format!("{message:?}");
    read(&message.payload);
}

fn read(payload: &Payload<'_>) {
    let _ = payload.error();
    if let Some(report) = payload.report() {
        report.dps.into_iter().flatten().for_each(|(id, _)| assert!(report.value(id).is_some()));
        let _ = format!("{report:?}");
    }
}
