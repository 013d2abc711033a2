//! The first thing a broker says: `connection.start`, read without a client library, which
//! would not tell what is in it.
//!
//! Frame and method layout: AMQP 0-9-1, sections 2.3.5 and 4.2.

use std::io;
use std::time::Duration;

use async_compat::CompatExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::route::Route;

/// What a broker says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub product: String,
    pub version: String,
    /// The cluster's name, which the management API tells, too.
    pub cluster: String,
}

/// Asks the broker who it is, and hangs up.
///
/// # Errors
/// When nobody listens, when it does not answer in `patience`, or does not speak AMQP 0-9-1.
pub(crate) async fn greet(route: &Route, patience: Duration) -> io::Result<Greeting> {
    let answer = timeout(patience, async {
        let opened = route.open(None).await?;
        ask(opened.stream.compat()).await
    });
    answer
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Greeting> {
    stream.write_all(b"AMQP\0\0\x09\x01").await?;
    stream.flush().await?;
    let mut header = [0; 7];
    let mut seen = 0;
    while seen < header.len() {
        match stream.read(&mut header[seen..]).await? {
            0 if is_tls(&header[..seen]) => return Err(speaks_tls()),
            0 => return Err(not_amqp()),
            count => seen += count,
        }
    }
    if is_tls(&header) {
        return Err(speaks_tls());
    }
    let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
    // A method frame on channel 0; its size bounded by what the other end may be.
    if header[..3] != [1, 0, 0] || size > 64 * 1024 {
        return Err(not_amqp());
    }
    let mut payload = vec![0; size as usize];
    match stream.read_exact(&mut payload).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(not_amqp()),
        read => read?,
    };
    read(&payload).ok_or_else(not_amqp)
}

/// An alert of TLS 1.0 and later (RFC 8446, section 5.1): the answer to what is not TLS.
fn is_tls(said: &[u8]) -> bool {
    said.starts_with(&[21, 3])
}

fn speaks_tls() -> io::Error {
    let why = "what answers there speaks TLS; use amqps:// (its port is 5671 unless changed)";
    io::Error::new(io::ErrorKind::InvalidData, why)
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
