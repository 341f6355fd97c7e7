//! Functions for tools: frames, session keys and announcements.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rustuya_proto::{
    CommandCode, Datagram, FrameError, Head, Keys, RetCode, Sender, Version, VersionHeader, derive_session_key,
    frame_len, open, seal,
};
use rustuya_runtime_tokio::convert as json;
use rustuya_runtime_tokio::proto::Payload;

use crate::docstring::docstring;
use crate::{args, convert, exceptions, lifecycle, models};

fn keys(py: Python<'_>, version: &Bound<'_, PyAny>, key: &Bound<'_, PyAny>) -> PyResult<Keys> {
    let version = required_version(py, version)?;
    Ok(Keys::new(version, convert::key(Some(key))?.expose()))
}

fn required_version(py: Python<'_>, version: &Bound<'_, PyAny>) -> PyResult<Version> {
    convert::version(Some(version))?.ok_or_else(|| exceptions::invalid_version(py, "Auto"))
}

fn sender(name: &str) -> Sender {
    if name == "device" { Sender::Device } else { Sender::Controller }
}

fn frame_error(py: Python<'_>, error: FrameError) -> PyErr {
    exceptions::leaf(py, "FrameError", 904, &error.to_string())
}

/// Encodes one frame as a client or a device of this version does. `payload` is bytes, text, or a JSON value.
#[doc = docstring!(args: codec_version key command payload seqno sender retcode)]
#[doc = docstring!(raises: key_version types)]
#[pyfunction]
#[pyo3(signature = (version, key, command, payload=None, *, seqno=1, sender="client", retcode=None))]
#[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
pub(crate) fn encode<'py>(
    py: Python<'py>,
    version: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    command: args::Command,
    payload: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = args::seqno)] seqno: u32,
    #[pyo3(from_py_with = args::sender)] sender: &str,
    retcode: Option<args::Retcode>,
) -> PyResult<Bound<'py, PyBytes>> {
    let keys = keys(py, version, key)?;
    let sender = self::sender(sender);
    let body: Vec<u8> = match payload {
        None => Vec::new(),
        Some(payload) => match (payload.cast::<PyBytes>(), payload.cast::<PyString>()) {
            (Ok(bytes), _) => bytes.as_bytes().to_vec(),
            (_, Ok(text)) => args::text(text)?.into_bytes(),
            _ => convert::to_json(payload)?.to_string().into_bytes(),
        },
    };
    encoded(py, &keys, sender, CommandCode(command.0), seqno, retcode.map(|code| RetCode(code.0)), &body)
}

/// Decodes the frames at the start of `data`. Returns a list of frames and the number of bytes that they take. Raises
/// FrameError for bytes that are not a frame or fail its check.
#[doc = docstring!(args: codec_version key bytes sender)]
#[doc = docstring!(raises: key_version frame types)]
#[pyfunction]
#[pyo3(signature = (version, key, data, *, sender="device"))]
pub(crate) fn decode<'py>(
    py: Python<'py>,
    version: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    data: args::Data,
    #[pyo3(from_py_with = args::sender)] sender: &str,
) -> PyResult<(Vec<Bound<'py, PyAny>>, usize)> {
    let keys = keys(py, version, key)?;
    let sender = self::sender(sender);
    let _inside = lifecycle::enter(py);
    let class = models::class(py, "Frame")?;
    let mut bytes = data.0;
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let Some(len) = frame_len(rest).map_err(|error| frame_error(py, error))? else { break };
        let Some(frame) = rest.get_mut(..len) else { break };
        let opened = open(&keys, sender, frame).map_err(|error| frame_error(py, error))?;
        let body = frame.get(opened.payload).unwrap_or_default();
        let payload = json::payload(&Payload::new(body)).map(|value| convert::to_python(py, &value)).transpose()?;
        let retcode = opened.retcode.map(RetCode::number);
        frames.push(class.call1((opened.command.0, opened.seqno, retcode, payload, PyBytes::new(py, body)))?);
        at += len;
    }
    Ok((frames, at))
}

/// Derives the session key of a connection of version 3.4 or 3.5 from the nonces of its negotiation, 16 bytes each.
#[doc = docstring!(args: codec_version local_key client_nonce device_nonce)]
#[doc = docstring!(raises: key_version types)]
#[pyfunction]
pub(crate) fn session_key<'py>(
    py: Python<'py>,
    version: &Bound<'py, PyAny>,
    local_key: &Bound<'py, PyAny>,
    client_nonce: args::ClientNonce,
    device_nonce: args::DeviceNonce,
) -> PyResult<Bound<'py, PyBytes>> {
    let version = required_version(py, version)?;
    let key = derive_session_key(version, &convert::key(Some(local_key))?, &client_nonce.0, &device_nonce.0);
    let key =
        key.ok_or_else(|| exceptions::leaf(py, "InvalidVersion", 914, "only 3.4 and 3.5 negotiate a session key"))?;
    Ok(PyBytes::new(py, key.expose()))
}

/// Decodes a datagram from UDP 6666, 6667 or 7000. Returns the announced device; None for a client's request.
#[doc = docstring!(args: datagram)]
#[doc = docstring!(raises: datagram types)]
#[pyfunction]
pub(crate) fn announcement<'py>(py: Python<'py>, datagram: args::Datagram) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut bytes = datagram.0;
    match Datagram::decode(&mut bytes) {
        Ok(Datagram::Announcement(seen)) => {
            let ip = seen.ip.map(|ip| ip.to_string());
            let version = seen.version.map(|version| version.as_str());
            let _inside = lifecycle::enter(py);
            models::class(py, "DiscoveredDevice")?
                .call1((seen.id, ip, version, seen.product_key, None::<String>, seen.is_unpaired()))
                .map(Some)
        }
        Ok(Datagram::InfoRequest { .. }) => Ok(None),
        Err(error) => Err(exceptions::leaf(py, "FrameError", 904, &error.to_string())),
    }
}

fn encoded<'py>(
    py: Python<'py>,
    keys: &Keys,
    sender: Sender,
    command: CommandCode,
    seqno: u32,
    retcode: Option<RetCode>,
    body: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let version = keys.version();
    let header = (version != Version::V31 && command.carries_version_header()).then(|| match sender {
        Sender::Controller => VersionHeader::controller(version),
        Sender::Device => VersionHeader::device(version, seqno),
    });
    // Devices put a return code first, except in unsolicited reports.
    let zero = (sender == Sender::Device && command != CommandCode::STATUS).then_some(RetCode(0));
    let head = Head { sender, seqno, command, retcode: retcode.or(zero), header };
    let mut out = vec![0; body.len() * 2 + 256];
    let len = seal(keys, &head, &rand::random(), body, &mut out)
        .map_err(|error| exceptions::leaf(py, "TooLarge", 903, &error.to_string()))?;
    Ok(PyBytes::new(py, out.get(..len).unwrap_or_default()))
}
