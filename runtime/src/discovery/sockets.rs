//! UDP sockets, and the interfaces that they reach.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::io;
use std::net::UdpSocket;

use rustuya_proto::{Interface, MAX_PROBE, write_probe};
use socket2::{Domain, Protocol, Socket, Type};

/// Binds a non-blocking UDP socket for announcements, whose port other programs may share.
///
/// ```
/// # use rustuya_runtime::driver::bind_shared;
/// let one = bind_shared("127.0.0.1:0".parse()?)?;
/// assert_ne!(one.local_addr()?.port(), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// The error of the operating system.
pub fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.port() != 0 {
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
    }
    socket.set_broadcast(true)?;
    // Many announcements may arrive at once, such as the answers to a probe, while the loop does something else. If the
    // system does not grant the buffer, the default has to do.
    let _granted = socket.set_recv_buffer_size(RECEIVE_BUFFER).is_ok();
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Size of the receive buffer, in bytes.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Sends one probe. A datagram that does not fit into the socket's buffer is lost; the next probe follows in a few
/// seconds.
pub(super) fn send_probe(from: Ipv4Addr, to: &[SocketAddrV4], probe: &[u8]) -> io::Result<()> {
    let socket = bind_shared(SocketAddr::from((from, 0)))?;
    for to in to {
        socket.send_to(probe, to)?;
    }
    Ok(())
}

/// Sends a probe to one host, from the address that reaches it.
pub(super) fn probe_host(to: SocketAddrV4) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    let SocketAddr::V4(own) = socket.local_addr()? else { return Ok(()) };
    let mut probe = [0; MAX_PROBE];
    if let Ok(len) = write_probe(*own.ip(), &rand::random(), &mut probe) {
        socket.send(probe.get(..len).unwrap_or_default())?;
    }
    Ok(())
}

/// Returns the IPv4 interfaces that send probes: only `only` if given, else all but loopback.
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
