//! TLS: whom we trust, who we are to the other end, and what a failure means.
//!
//! One configuration serves AMQP and the management API. Nothing is taken on trust unless the
//! user says so with a word that cannot be mistaken.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription as Alert, CertificateError, ClientConfig, DigitallySignedStruct,
    RootCertStore, SignatureScheme,
};

use super::error::{BrokerError, Kind};

/// What the user says about TLS. The default: the other end's certificate must come from an
/// authority that this machine trusts, and we show none of our own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the authorities to trust, instead of those of the machine.
    pub ca: Option<PathBuf>,
    /// PEM: our certificate, and behind it those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// PEM: the private key of our certificate.
    pub key: Option<PathBuf>,
    /// Trust whoever answers.
    pub insecure: bool,
}

/// A checked configuration, ready for any number of connections.
#[derive(Clone)]
pub(crate) struct Trust {
    pub config: Arc<ClientConfig>,
    /// Whether we have a certificate of our own to show.
    identified: bool,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trust(identified: {})", self.identified)
    }
}

impl Trust {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// Every mistake in them at once, as one usage error.
    pub fn new(tls: &Tls) -> Result<Self, BrokerError> {
        let mut mistakes = Vec::new();
        let roots = roots(tls, &mut mistakes);
        let identity = identity(tls, &mut mistakes);
        if let Some((first, rest)) = mistakes.split_first() {
            let error = BrokerError::new(Kind::Usage, first).help(
                "name PEM files: `--tls-ca` of the authority that signed the broker's \
                 certificate, `--tls-cert` and `--tls-key` of your own certificate",
            );
            return Err(rest.iter().fold(error, BrokerError::note));
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let builder = if tls.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(roots)
        };
        let identified = identity.is_some();
        let config = match identity {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config), identified })
    }

    /// Why a connection under TLS failed and what to do, if it was TLS that failed.
    pub fn explain(&self, error: &(dyn Error + 'static)) -> Option<(String, String)> {
        let Some(error) = tls_error(error) else {
            // An alert is lost when the broker closes before it has read what we sent behind it.
            return hung_up(error).then(|| {
                let why = "the broker hung up right after the TLS handshake";
                (why.to_owned(), self.about_papers().to_owned())
            });
        };
        Some(match error {
            rustls::Error::InvalidCertificate(why) => about_certificate(why),
            rustls::Error::InvalidMessage(_) => (
                "what answers there does not speak TLS".to_owned(),
                "use amqp:// for a port without TLS (5672 unless changed), or name the one with \
                 TLS (5671)"
                    .to_owned(),
            ),
            rustls::Error::AlertReceived(alert) => self.about_alert(*alert),
            other => (format!("TLS failed: {other}"), "see the broker's log".to_owned()),
        })
    }

    fn about_alert(&self, alert: Alert) -> (String, String) {
        if alert == Alert::ProtocolVersion || alert == Alert::InsufficientSecurity {
            let why = format!("it offers no TLS that is still safe ({alert:?})");
            return (why, "let the broker offer TLS 1.2 or 1.3".to_owned());
        }
        let demands = [Alert::CertificateRequired, Alert::HandshakeFailure, Alert::BadCertificate];
        if !self.identified && demands.contains(&alert) {
            let why = format!("the broker demands a certificate of ours ({alert:?})");
            return (why, SHOW_ONE.to_owned());
        }
        let why = format!("the broker broke off the TLS handshake ({alert:?})");
        (why, self.about_papers().to_owned())
    }

    fn about_papers(&self) -> &'static str {
        if self.identified {
            "it may not accept our certificate: has the authority that it trusts signed it, and \
             is it still valid? The broker's log says more"
        } else {
            "it may demand a certificate of ours: `--tls-cert FILE --tls-key FILE` show one. The \
             broker's log says more"
        }
    }
}

const SHOW_ONE: &str = "show it one with `--tls-cert FILE --tls-key FILE`";

fn about_certificate(why: &CertificateError) -> (String, String) {
    let help = match why {
        // The second: an authority of the same name, with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            return (
                "nobody we trust has signed its certificate".to_owned(),
                "`--tls-ca FILE` names the certificate of the authority that has".to_owned(),
            );
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "give the broker a new certificate; if it has one, look at the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "look at the clock of this machine, and of the one that made the certificate"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a host name that the certificate is for, or give the broker a certificate for \
             this one"
        }
        _ => "give the broker a certificate that a server may use, from an authority you trust",
    };
    (format!("its certificate does not do: {why}"), help.to_owned())
}

/// A TLS error, however deep. An I/O error does not count what it wraps among its sources.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped: Option<&'a (dyn Error + 'static)> = wrapped.map(|error| error as _);
        next = wrapped.or_else(|| error.source());
    }
    None
}

fn hung_up(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind as Io;
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind.is_some_and(|kind| {
        matches!(kind, Io::UnexpectedEof | Io::ConnectionReset | Io::BrokenPipe)
    })
}

fn unusable(error: &rustls::Error) -> BrokerError {
    BrokerError::new(Kind::Usage, format!("the certificate and its key are of no use: {error}"))
        .help("`--tls-cert` and `--tls-key` must belong together")
}

fn roots(tls: &Tls, mistakes: &mut Vec<String>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(file) => {
            for certificate in certificates("--tls-ca", file, mistakes) {
                if let Err(error) = roots.add(certificate) {
                    mistakes.push(format!("--tls-ca {}: {error}", file.display()));
                }
            }
        }
        None if tls.insecure => {}
        None => {
            // What of the machine's list cannot be read is simply not trusted.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                mistakes.push("this machine has no list of authorities to trust".to_owned());
            }
        }
    }
    roots
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(tls: &Tls, mistakes: &mut Vec<String>) -> Option<Identity> {
    match (&tls.certificate, &tls.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let chain = certificates("--tls-cert", certificate, mistakes);
            match PrivateKeyDer::from_pem_file(key) {
                Ok(key) => Some((chain, key)),
                Err(error) => {
                    mistakes.push(unread("--tls-key", key, &error, "private key"));
                    None
                }
            }
        }
        (Some(_), None) => {
            mistakes.push("--tls-cert needs the certificate's key: --tls-key FILE".to_owned());
            None
        }
        (None, Some(_)) => {
            mistakes.push("--tls-key needs the key's certificate: --tls-cert FILE".to_owned());
            None
        }
    }
}

/// At least one, or a mistake.
fn certificates(
    option: &str,
    file: &Path,
    mistakes: &mut Vec<String>,
) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read =
        read.and_then(|all| if all.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(all) });
    read.unwrap_or_else(|error| {
        mistakes.push(unread(option, file, &error, "certificate"));
        Vec::new()
    })
}

fn unread(option: &str, file: &Path, error: &pem::Error, what: &str) -> String {
    let file = file.display();
    match error {
        pem::Error::Io(error) => format!("reading the file of {option} failed: {file}: {error}"),
        pem::Error::NoItemsFound => format!("{option} {file}: there is no {what} in PEM in it"),
        // The library's words may quote the file, and with it a key.
        _ => format!("{option} {file}: the PEM in it is broken"),
    }
}

/// Trusts every certificate; still checks that the other end has the key to the one it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
