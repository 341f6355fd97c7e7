//! UDP sockets and the interfaces that they reach.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::io;
use std::net::UdpSocket;

use rustuya_proto::{Interface, MAX_PROBE, write_probe};
use socket2::{Domain, Protocol, Socket, Type};

/// A UDP socket for announcements, whose port other programs may share. It does not block.
///
/// ```
/// # use rustuya_runtime::bind_shared;
/// let one = bind_shared("127.0.0.1:0".parse()?)?;
/// assert_ne!(one.local_addr()?.port(), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// What the operating system says.
pub fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.port() != 0 {
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
    }
    socket.set_broadcast(true)?;
    // Many announcements at once, such as the answers to a probe, are not to be lost while the loop does something else.
    // What the system does not grant is done without.
    let _granted = socket.set_recv_buffer_size(RECEIVE_BUFFER).is_ok();
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Bytes of announcements that wait for the loop.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Sends one probe. What does not fit into the socket's buffer at once is lost, as datagrams are; the next probe
/// follows in a few seconds.
pub(super) fn send_probe(from: Ipv4Addr, to: &[SocketAddrV4], probe: &[u8]) -> io::Result<()> {
    let socket = bind_shared(SocketAddr::from((from, 0)))?;
    for to in to {
        socket.send_to(probe, to)?;
    }
    Ok(())
}

/// Asks one host for an announcement, from the address that it is reached from.
pub(super) fn ask(to: SocketAddrV4) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    let SocketAddr::V4(own) = socket.local_addr()? else { return Ok(()) };
    let mut probe = [0; MAX_PROBE];
    if let Ok(len) = write_probe(*own.ip(), &rand::random(), &mut probe) {
        socket.send(probe.get(..len).unwrap_or_default())?;
    }
    Ok(())
}

/// The IPv4 interfaces that probes leave from: only `only` if given, else all but loopback.
pub(super) fn interfaces(only: Option<Ipv4Addr>, broadcast: Option<Ipv4Addr>) -> Vec<Interface> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = found.iter().filter(|interface| match only {
        Some(address) => interface.ip() == address,
        None => !interface.is_loopback(),
    });
    let addresses = usable.filter_map(|interface| match &interface.addr {
        if_addrs::IfAddr::V4(v4) => {
            let broadcast = broadcast.or(v4.broadcast).unwrap_or(Ipv4Addr::BROADCAST);
            Some(Interface { address: v4.ip, broadcast })
        }
        if_addrs::IfAddr::V6(_) => None,
    });
    let mut interfaces: Vec<_> = addresses.collect();
    if let (Some(address), []) = (only, interfaces.as_slice()) {
        // Not listed, such as most of 127.0.0.0/8.
        interfaces.push(Interface { address, broadcast: broadcast.unwrap_or(Ipv4Addr::BROADCAST) });
    }
    interfaces
}
