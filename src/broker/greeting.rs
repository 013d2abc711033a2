//! The first thing a broker says: `connection.start`, read without a client library, which
//! would not tell what is in it.
//!
//! Frame and method layout: AMQP 0-9-1, sections 2.3.5 and 4.2.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a broker says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub product: String,
    pub version: String,
    /// The cluster's name, which the management API tells, too.
    pub cluster: String,
}

/// Asks the broker at `host:port` who it is, and hangs up.
///
/// # Errors
/// When nobody listens, when it does not answer in `patience`, or does not speak AMQP 0-9-1.
pub(crate) async fn greet(host: &str, port: u16, patience: Duration) -> io::Result<Greeting> {
    let answer = timeout(patience, async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        let mut header = [0; 7];
        stream.read_exact(&mut header).await?;
        let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
        // A method frame on channel 0; its size bounded by what the other end may be.
        if header[..3] != [1, 0, 0] || size > 64 * 1024 {
            return Err(not_amqp());
        }
        let mut payload = vec![0; size as usize];
        stream.read_exact(&mut payload).await?;
        read(&payload).ok_or_else(not_amqp)
    });
    match answer.await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(not_amqp()),
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

fn not_amqp() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what answers there does not speak AMQP 0-9-1")
}

/// Class 10, method 10, protocol 0-9, then the table of the server's properties.
fn read(payload: &[u8]) -> Option<Greeting> {
    let mut table = take_long(payload.strip_prefix(&[0, 10, 0, 10, 0, 9])?)?.0;
    let mut greeting = Greeting::default();
    while let [length, rest @ ..] = table {
        let (key, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        // RabbitMQ sends texts, and one table of flags beside them.
        let (value, rest) = match kind {
            b'S' | b'F' => take_long(rest)?,
            b't' => rest.split_at_checked(1)?,
            _ => return None,
        };
        match key {
            b"product" => greeting.product = String::from_utf8_lossy(value).into_owned(),
            b"version" => greeting.version = String::from_utf8_lossy(value).into_owned(),
            b"cluster_name" => greeting.cluster = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        table = rest;
    }
    Some(greeting)
}

/// What a length of four bytes announces, and what follows it.
fn take_long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Vec<u8> {
        let mut table = Vec::new();
        for (key, kind, value) in [
            ("capabilities", b'F', &b"\x01at\x01"[..]),
            ("cluster_name", b'S', b"rabbit@here"),
            ("product", b'S', b"RabbitMQ"),
            ("version", b'S', b"4.3.6"),
        ] {
            table.push(key.len() as u8);
            table.extend(key.as_bytes());
            table.push(kind);
            table.extend((value.len() as u32).to_be_bytes());
            table.extend(value);
        }
        let mut payload = vec![0, 10, 0, 10, 0, 9];
        payload.extend((table.len() as u32).to_be_bytes());
        payload.extend(table);
        payload.extend(b"\0\0\0\x05PLAIN");
        payload
    }

    #[test]
    fn product_and_version_are_read() {
        let expected = Greeting {
            product: "RabbitMQ".into(),
            version: "4.3.6".into(),
            cluster: "rabbit@here".into(),
        };
        assert_eq!(read(&payload()), Some(expected));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let whole = payload();
        let table_ends = whole.len() - b"\0\0\0\x05PLAIN".len();
        for length in 0..table_ends {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
    }
}
