//! What went wrong with the world outside: what we were doing, to what, and the source's words.
//!
//! No text made here contains a password: addresses are shown without their user part, and
//! errors of the HTTP client without their URL.

use lapin::ErrorKind;

use crate::diagnostic::Diagnostic;

/// What kind of failure it is: who can mend it, and how the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The address or the option given is wrong: a mistake of the command line.
    Usage,
    /// No RabbitMQ is installed where we looked.
    NoServer,
    /// The private node did not come up.
    Boot,
    /// Nobody answers at the address.
    Unreachable,
    /// The connection cannot be secured: a certificate, or no TLS at the other end.
    Tls,
    /// The user or the password is wrong.
    Login,
    /// The virtual host does not exist, or the user may not enter it.
    Vhost,
    /// The user may not do this.
    Permission,
    /// The management API is needed and absent, or it refused.
    Management,
    /// The broker refused an operation, or the connection was lost on the way.
    Protocol,
    /// A node was not ended, started or held as it should have been.
    Control,
}

/// A failure of the world outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BrokerError {
    pub kind: Kind,
    /// One sentence without a full stop.
    pub message: String,
    /// Further lines: the end of a log, the places looked at.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// The reply code and the words, where it is the broker that refused an operation.
    pub said: Option<(u16, String)>,
}

impl BrokerError {
    /// Nobody may lay hands on this broker.
    pub fn uncontrolled(what: &str) -> Self {
        Self::new(Kind::Usage, format!("{what} failed: this broker's nodes are not ours to stop"))
            .help("leave `--broker` out to run on a private one")
    }

    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), notes: Vec::new(), help: None, said: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// What an AMQP operation met; `doing` is its gerund and object: `declaring queue "q"`.
    pub fn amqp(doing: &str, error: &lapin::Error) -> Self {
        let (code, words) = words(error);
        let kind = match code {
            Some(403) => Kind::Permission,
            _ if is_unreachable(error) => Kind::Unreachable,
            _ => Kind::Protocol,
        };
        let mut failed = Self::new(kind, format!("{doing} failed: {words}"));
        if let ErrorKind::ProtocolError(said) = error.kind() {
            failed.said = Some((said.get_id(), said.get_message().to_string()));
        }
        match kind {
            Kind::Permission => failed.help(
                "give the user configure, write and read permission: \
                 rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'",
            ),
            Kind::Unreachable => failed.help("the connection was lost; see the broker's log"),
            _ => failed,
        }
    }

    /// An operation that a working broker answers at once had no answer in time.
    pub fn silent(doing: &str) -> Self {
        Self::new(Kind::Unreachable, format!("{doing} got no answer"))
            .help("see whether the broker is still alive, and its log")
    }

    /// A mistake of the command line rather than of the world: exit code 2 instead of 3.
    pub fn is_usage(&self) -> bool {
        self.kind == Kind::Usage
    }

    /// The same for the renderer; it has no place in a file.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(&self.message);
        diagnostic.notes.clone_from(&self.notes);
        diagnostic.help.clone_from(&self.help);
        diagnostic
    }
}

/// The reply code, if the broker gave one, and the source's words.
pub(crate) fn words(error: &lapin::Error) -> (Option<u16>, String) {
    match error.kind() {
        ErrorKind::ProtocolError(said) => {
            (Some(said.get_id()), format!("{} {}", said.get_id(), said.get_message()))
        }
        ErrorKind::IOError(io) => (None, io.to_string()),
        _ => (None, error.to_string()),
    }
}

fn is_unreachable(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IOError(_)
            | ErrorKind::MissingHeartbeatError
            | ErrorKind::InvalidConnectionState(_)
    )
}
