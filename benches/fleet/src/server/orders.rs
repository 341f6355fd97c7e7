//! Control connection.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};

use super::{ORDER_LINE, ORDERS};

pub(super) struct Orders {
    listener: TcpListener,
    stream: Option<TcpStream>,
    bytes: Vec<u8>,
    ended: bool,
}

impl Orders {
    pub(super) fn new(registry: &Registry) -> Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        registry.register(&mut listener, ORDERS, Interest::READABLE)?;
        Ok(Self { listener, stream: None, bytes: Vec::new(), ended: false })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Accepts the first connection, and only that.
    pub(super) fn accept(&mut self, registry: &Registry) -> Result<()> {
        while let Ok((mut stream, _)) = self.listener.accept() {
            if self.stream.is_none() {
                stream.set_nodelay(true)?;
                registry.register(&mut stream, ORDER_LINE, Interest::READABLE)?;
                self.stream = Some(stream);
            }
        }
        Ok(())
    }

    /// Returns whether the connection has ended.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// Returns the next whole received line.
    pub(super) fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            let mut chunk = [0; 256];
            let Some(stream) = &mut self.stream else {
                return Ok(None);
            };
            match stream.read(&mut chunk) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(got) => self.bytes.extend_from_slice(chunk.get(..got).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    self.ended = true;
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Answers one line. An answer is far smaller than any socket buffer.
    pub(super) fn answer(&mut self, text: &str) -> Result<()> {
        self.stream.as_mut().context("nobody to answer")?.write_all(text.as_bytes())?;
        Ok(())
    }
}
