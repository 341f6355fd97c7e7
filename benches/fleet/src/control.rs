//! Control of the device server: one line each way over TCP.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// Counters of the server.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Connections that are ready for messages, without the raw ones.
    pub(crate) ready: u64,
    pub(crate) accepted: u64,
    pub(crate) commands: u64,
    pub(crate) queries: u64,
    pub(crate) heartbeats: u64,
    pub(crate) pushes: u64,
    /// Connections closed because of invalid frames.
    pub(crate) refused: u64,
    /// CPU time, microseconds.
    pub(crate) cpu_us: u64,
}

/// Reconnection times after a cut, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Back {
    pub(crate) half: Option<f64>,
    pub(crate) all: Option<f64>,
}

/// Control connection to the server. The server ends with it.
pub(crate) struct Control {
    reader: BufReader<TcpStream>,
}

impl Control {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect(to).context("the device server does not take orders")?;
        stream.set_nodelay(true)?;
        // The longest order prepares bursts for the whole fleet.
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Prepares `count` pushes on every connection. Returns their total.
    pub(crate) fn prepare(&mut self, count: usize) -> Result<u64> {
        Ok(self.order(&format!("prepare {count}"))?.parse()?)
    }

    /// Sends the prepared pushes.
    pub(crate) fn burst(&mut self) -> Result<()> {
        self.order("burst").map(drop)
    }

    /// Closes every connection of the fleet. Returns their number.
    pub(crate) fn cut(&mut self) -> Result<u64> {
        Ok(self.order("cut")?.parse()?)
    }

    /// Returns the reconnections since the cut.
    pub(crate) fn back(&mut self) -> Result<Back> {
        Ok(serde_json::from_str(&self.order("back")?)?)
    }

    pub(crate) fn counts(&mut self) -> Result<Counts> {
        Ok(serde_json::from_str(&self.order("counts")?)?)
    }

    fn order(&mut self, line: &str) -> Result<String> {
        self.reader.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        self.reader.read_line(&mut answer).with_context(|| format!("no answer to `{line}`"))?;
        match answer.trim_end_matches('\n').split_once(' ') {
            Some(("ok", rest)) => Ok(rest.to_owned()),
            _ => bail!("`{line}` was answered `{}`", answer.trim_end()),
        }
    }
}
