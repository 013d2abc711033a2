//! Ports that nobody else listens on.
//!
//! They are drawn from below the range that Linux and macOS give to outgoing connections, so that
//! none of those can take one while a node boots.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::files::random_bytes;

/// The ports of all nodes of one broker. Nobody else can listen on one while this lives.
pub(crate) struct Reserved {
    pub nodes: Vec<ReservedNode>,
    pub epmd: Port,
}

/// Those of one node.
pub(crate) struct ReservedNode {
    pub amqp: Port,
    pub management: Port,
    pub distribution: Port,
}

/// A port, which is held until a node is started, and claimed for as long as there is one.
pub(crate) struct Port {
    pub number: u16,
    held: TcpListener,
    claim: Claim,
}

impl Reserved {
    pub fn new(nodes: usize) -> io::Result<Self> {
        let node = |_| {
            let (amqp, management) = (Port::draw()?, Port::draw()?);
            Ok(ReservedNode { amqp, management, distribution: Port::draw()? })
        };
        let nodes = (0..nodes).map(node).collect::<io::Result<_>>()?;
        Ok(Self { nodes, epmd: Port::draw()? })
    }

    /// Lets the nodes listen, and nobody who asks before: the claims.
    pub fn release(self) -> Vec<Claim> {
        let nodes = self.nodes.into_iter();
        let ports = nodes.flat_map(|node| [node.amqp, node.management, node.distribution]);
        ports.chain([self.epmd]).map(Port::release).collect()
    }
}

impl Port {
    fn draw() -> io::Result<Self> {
        const FIRST: u16 = 20_000;
        const HOW_MANY: u16 = 12_000;
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..100 {
            let mut draw = [0; 2];
            random_bytes(&mut draw)?;
            let number = FIRST + u16::from_ne_bytes(draw) % HOW_MANY;
            match Self::take(number) {
                Ok(port) => return Ok(port),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn take(number: u16) -> io::Result<Self> {
        let claim = Claim::new(number)?;
        Ok(Self { number, held: TcpListener::bind((Ipv4Addr::LOCALHOST, number))?, claim })
    }

    fn release(self) -> Claim {
        drop(self.held);
        self.claim
    }
}

/// That a port is ours though nobody listens there: a node that is stopped shall find its ports
/// when it is started again, and other nodes of this program draw theirs all the while. Programs
/// that know nothing of it can take the port all the same.
///
/// It is a name that only one socket on the machine can have, and that goes with the process.
pub(crate) struct Claim {
    #[cfg(target_os = "linux")]
    _name: std::os::unix::net::UnixDatagram,
}

impl Claim {
    /// # Errors
    /// When somebody else has claimed it.
    #[cfg(target_os = "linux")]
    fn new(port: u16) -> io::Result<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let name = SocketAddr::from_abstract_name(format!("rmq-scenario-port-{port}"))?;
        Ok(Self { _name: UnixDatagram::bind_addr(&name)? })
    }

    /// Elsewhere there are no such names, and chance alone keeps ports apart.
    #[cfg(not(target_os = "linux"))]
    fn new(_port: u16) -> io::Result<Self> {
        Ok(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_claimed_port_is_nobody_elses() {
        let port = Port::draw().unwrap();
        let number = port.number;
        let in_use = |taken: io::Result<Port>| {
            taken.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        assert!(in_use(Port::take(number)), "it is held");
        let claim = port.release();
        assert!(in_use(Port::take(number)), "it is claimed");
        drop(claim);
        Port::take(number).unwrap();
    }
}
