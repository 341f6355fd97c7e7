//! HTTP/1.1 over TLS, as far as the tests need it: a thread for each connection, which may ask again and again.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Call, Fault, Reply, Shared};

/// A certificate for 127.0.0.1 and localhost, made for this run, and how it is used.
pub(crate) fn certificate() -> io::Result<(Arc<ServerConfig>, String)> {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
        .map_err(io::Error::other)?;
    Ok((Arc::new(config), made.cert.pem()))
}

pub(crate) fn start(listener: TcpListener, config: Arc<ServerConfig>, shared: &Arc<Shared>) -> io::Result<()> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name("fake cloud".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            if shared.over.load(Ordering::Relaxed) {
                break;
            }
            let (Ok(stream), config, shared) = (stream, Arc::clone(&config), Arc::clone(&shared)) else { continue };
            // A client that leaves early is no concern of others.
            let _ = thread::Builder::new().spawn(move || serve(stream, config, &shared));
        }
    })?;
    Ok(())
}

/// So that no thread outlives the server for long.
const TICK: Duration = Duration::from_millis(200);

fn serve(stream: TcpStream, config: Arc<ServerConfig>, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).map_err(io::Error::other)?, stream);
    let mut buffer = Vec::new();
    while let Some(call) = next(&mut stream, &mut buffer, shared)? {
        let reply = shared.lock().answer(&call);
        let (status, kind, body, retry) = match reply {
            Reply::Json(value) => (200, "application/json", value.to_string(), None),
            Reply::Fault(Fault::Status(status, retry)) => (status, "text/plain", "try later".to_owned(), retry),
            Reply::Fault(Fault::Html) => (200, "text/html", "<!DOCTYPE html><p>Please log in</p>".to_owned(), None),
            Reply::Fault(Fault::CutJson) => {
                (200, "application/json", r#"{"success":true,"result":{"acc"#.to_owned(), None)
            }
            Reply::Fault(Fault::Half) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"success\":true")?;
                stream.conn.send_close_notify();
                return stream.flush();
            }
            Reply::Fault(Fault::Silence) => {
                while !shared.over.load(Ordering::Relaxed) {
                    thread::sleep(TICK);
                }
                return Ok(());
            }
            Reply::Fault(_) => return Ok(()),
        };
        let retry = retry.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{retry}\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
    }
    Ok(())
}

/// The next request; `None` when the client has gone, or the server is over.
fn next(stream: &mut impl Read, buffer: &mut Vec<u8>, shared: &Shared) -> io::Result<Option<Call>> {
    loop {
        if let Some((call, len)) = parse(buffer) {
            buffer.drain(..len);
            return Ok(Some(call));
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(len) => buffer.extend_from_slice(&chunk[..len]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if shared.over.load(Ordering::Relaxed) {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// A request at the front, and its length.
fn parse(bytes: &[u8]) -> Option<(Call, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut call = Call {
        method,
        path: path.to_owned(),
        query: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        headers,
        body: Vec::new(),
    };
    let start = end + 4;
    let len: usize = call.header("Content-Length").parse().unwrap_or(0);
    let body = bytes.get(start..start + len)?;
    call.body = body.to_vec();
    Some((call, start + len))
}

/// Without percent signs and plus signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = core::str::from_utf8(&digits).unwrap_or_default();
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart() {
        let bytes = b"POST /a/b?x=1%202&y=a+b HTTP/1.1\r\nHost: h\r\ncontent-length: 2\r\n\r\nokGET";
        let (call, len) = parse(bytes).expect("is whole");
        assert_eq!((call.method.as_str(), call.path.as_str(), len), ("POST", "/a/b", bytes.len() - 3));
        assert_eq!((call.asked("x"), call.asked("y"), call.header("HOST")), (Some("1 2"), Some("a b"), "h"));
        assert_eq!(call.body, b"ok");
        assert!(parse(&bytes[..40]).is_none());
    }
}
