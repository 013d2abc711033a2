//! Where a broker is and who we are there: an AMQP address, checked.
//!
//! The client library's own parser is not used: it reads an IPv6 host as `localhost`, and its
//! errors repeat the address, password included.

use std::fmt;

use reqwest::Url;

use super::error::{BrokerError, Kind};

/// An AMQP address. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whether TLS is spoken there.
    pub secure: bool,
    /// A name or an IP address, without the brackets of IPv6.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub vhost: String,
}

impl Address {
    /// Reads the addresses of one cluster's nodes, with commas between them. What the first says
    /// of the user, the password and the vhost holds for the others too, which may leave it out.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, BrokerError> {
        let mut all: Vec<Self> = Vec::new();
        for text in split(text) {
            let next = Self::parse_after(text, all.first())?;
            if let Some(first) = all.first().filter(|first| first.account() != next.account()) {
                let why = format!("{next} has another user, password or vhost than {first}");
                return Err(list(&why).help(
                    "they are the nodes of one cluster: the first address names these, and the \
                     others leave them out",
                ));
            }
            if all.iter().any(|other| other.authority() == next.authority()) {
                return Err(list(&format!("{next} is named twice"))
                    .help("each address is that of another node of the cluster"));
            }
            all.push(next);
        }
        Ok(all)
    }

    /// Reads `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. What is left out is
    /// `guest`, `guest`, 5672 (5671 with TLS) and `/`; a lone slash at the end means the vhost
    /// `/`, too.
    #[cfg(test)]
    pub fn parse(text: &str) -> Result<Self, BrokerError> {
        Self::parse_after(text, None)
    }

    fn parse_after(text: &str, first: Option<&Self>) -> Result<Self, BrokerError> {
        if !text.contains("://") {
            return Err(malformed("it does not begin with amqp:// or amqps://"));
        }
        let url = Url::parse(text).map_err(|error| malformed(&error.to_string()))?;
        let secure = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            _ => return Err(malformed("it does not begin with amqp:// or amqps://")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| malformed("it names no host"))?;
        if host.contains(',') {
            return Err(malformed("in a list, each address begins with amqp:// or amqps://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(malformed("parameters after the vhost are not supported"));
        }
        let (user, vhost) =
            first.map_or(("guest", "/"), |first| (first.user.as_str(), first.vhost.as_str()));
        let user = decoded(url.username(), user)?;
        let same = first.filter(|first| first.user == user);
        let password = same.map_or("guest", |first| first.password.as_str());
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(if secure { 5671 } else { 5672 }),
            user,
            password: decoded(url.password().unwrap_or_default(), password)?,
            vhost: decoded(url.path().strip_prefix('/').unwrap_or_default(), vhost)?,
        })
    }

    fn account(&self) -> [&str; 3] {
        [&self.user, &self.password, &self.vhost]
    }

    /// The same broker and user, another vhost.
    pub fn with_vhost(&self, vhost: &str) -> Self {
        Self { vhost: vhost.to_owned(), ..self.clone() }
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    /// Where the management API is unless something else is said. Of a broker with TLS it is
    /// only looked for with TLS: a password that was to be protected is not sent in the clear.
    pub fn usual_management(&self) -> String {
        let (scheme, port) = if self.secure { ("https", 15671) } else { ("http", 15672) };
        format!("{scheme}://{}:{port}", bracketed(&self.host))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}:***@{}/{}", self.user, self.authority(), self.vhost)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// At the commas before a scheme: elsewhere one may be part of a password.
fn split(text: &str) -> Vec<&str> {
    let commas = text.match_indices(',').map(|(at, _)| at);
    let mut ends: Vec<usize> = commas.filter(|&at| begins(&text[at + 1..])).collect();
    ends.push(text.len());
    let begins = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    begins.zip(&ends).map(|(begin, &end)| text[begin..end].trim()).collect()
}

fn begins(text: &str) -> bool {
    ["amqp://", "amqps://"].iter().any(|scheme| text.trim_start().starts_with(scheme))
}

fn list(why: &str) -> BrokerError {
    BrokerError::new(Kind::Usage, format!("the broker's addresses do not fit together: {why}"))
}

fn malformed(why: &str) -> BrokerError {
    BrokerError::new(Kind::Usage, format!("the broker's address is malformed: {why}"))
        .help("write it as amqp://user:password@host:5672/vhost; in names, / is %2F and @ is %40")
}

/// Percent-decoded, or `default` where the address is silent.
pub(crate) fn decoded(text: &str, default: &str) -> Result<String, BrokerError> {
    if text.is_empty() {
        return Ok(default.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = if *first == b'%' { tail.get(..2).and_then(hex) } else { None };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None if *first == b'%' => return Err(malformed("a % is not followed by two digits")),
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed("a %-escape is not UTF-8"))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(text, 16).ok()
}

/// Percent-encoded, for one segment of a path.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(byte.into()),
            // A segment of dots alone would be read as a step in the path.
            b'.' if text.bytes().any(|other| other != b'.') => out.push('.'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: (&str, u16, &str, &str, &str)) {
        let read = Address::parse(text).expect(text);
        let parts = (&*read.host, read.port, &*read.user, &*read.password, &*read.vhost);
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn what_is_left_out_has_the_usual_value() {
        check("amqp://h", ("h", 5672, "guest", "guest", "/"));
        check("amqp://h/", ("h", 5672, "guest", "guest", "/"));
        check("amqp://u@h:1/v", ("h", 1, "u", "guest", "v"));
        check("amqp://u:p@h:1/%2F", ("h", 1, "u", "p", "/"));
        check("amqps://u:p@h/v", ("h", 5671, "u", "p", "v"));
        check("amqps://h:1", ("h", 1, "guest", "guest", "/"));
    }

    #[test]
    fn escapes_and_ip_addresses_are_understood() {
        check(
            "amqp://a%40b:p%3A%2F%C3%A9@127.0.0.1:2/x%2Fy",
            ("127.0.0.1", 2, "a@b", "p:/é", "x/y"),
        );
        check("amqp://[::1]:3", ("::1", 3, "guest", "guest", "/"));
        assert_eq!(Address::parse("amqp://[::1]:3").unwrap().authority(), "[::1]:3");
        assert_eq!(
            Address::parse("amqp://[::1]").unwrap().usual_management(),
            "http://[::1]:15672"
        );
    }

    #[test]
    fn tls_is_kept_up_on_the_way_to_the_management_api() {
        let address = Address::parse("amqps://u:secret@h:1/v").unwrap();
        assert!(address.secure && !Address::parse("amqp://h").unwrap().secure);
        assert_eq!(address.usual_management(), "https://h:15671");
        assert_eq!(format!("{address:?}"), "amqps://u:***@h:1/v");
    }

    fn all(text: &str) -> Vec<String> {
        let all = Address::parse_all(text).expect(text);
        all.iter().map(|it| format!("{it:?} {}", it.password)).collect()
    }

    #[test]
    fn what_the_first_of_several_says_holds_for_all() {
        assert_eq!(all("amqp://a,b:c,@h"), ["amqp://a,b:***@h:5672// c,"]);
        let expected =
            ["amqp://u:***@h1:1/v p", "amqp://u:***@h2:5672/v p", "amqps://u:***@[::1]:5671/v p"];
        for text in [
            "amqp://u:p@h1:1/v,amqp://h2,amqps://[::1]",
            "amqp://u:p@h1:1/v, amqp://u@h2/ , amqps://u:p@[::1]/v",
        ] {
            assert_eq!(all(text), expected);
        }
        assert_eq!(all("amqp://h:1,amqp://h:2")[1], "amqp://guest:***@h:2// guest");
    }

    #[test]
    fn addresses_that_do_not_fit_together_are_refused() {
        for (text, says) in [
            ("amqp://u:secret@h1,amqp://w@h2", "h2:5672 has another user"),
            ("amqp://u:secret@h1,amqp://u:s3cret@h2", "h2:5672 has another user"),
            ("amqp://u:secret@h1/a,amqp://h2/b", "h2:5672 has another user"),
            ("amqp://u:secret@h1,amqp://h2,amqp://h1:5672", "h1:5672 is named twice"),
            ("amqp://u:secret@h1,h2", "each address begins with"),
            ("amqp://u:secret@h1,amqp://", "names no host"),
        ] {
            let error = Address::parse_all(text).expect_err(text);
            assert!(error.is_usage() && error.message.contains(says), "{text}: {error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            assert!(error.help.is_some(), "{text}");
        }
    }

    #[test]
    fn a_malformed_address_is_a_usage_error_that_does_not_repeat_it() {
        for text in [
            "",
            "h",
            "http://u:secret@h",
            "amqp:u:secret@h",
            "amqp://",
            "amqp://u:secret@",
            "amqp://u:secret@h:70000",
            "amqp://u:secret%zz@h",
            "amqp://u:secret%ff@h",
            "amqp://u:secret%+1@h",
            "amqps://u:secret@",
            "amqps://u:secret@h/v?verify=none",
            "amqp://u:secret@h/v?heartbeat=1",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.is_usage(), "{text}: {error:?}");
            assert!(!format!("{error:?}").contains("secret"), "{text}: {error:?}");
            assert!(error.help.is_some(), "{text}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let address = Address::parse("amqp://u:secret@h/v").unwrap();
        assert_eq!(format!("{address:?} {address}"), "amqp://u:***@h:5672/v h:5672");
    }

    #[test]
    fn names_become_one_segment_of_a_path() {
        assert_eq!(encoded("/"), "%2F");
        assert_eq!(encoded("a.b c%é"), "a.b%20c%25%C3%A9");
        assert_eq!(encoded(".."), "%2E%2E");
    }
}
