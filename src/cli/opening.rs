//! Which broker a run gets: the one that is named, else the one that was kept warm, else one of
//! its own.

use std::path::{Path, PathBuf};

use crate::broker::{Broker, BrokerError, Choice, Hands, Tls, Warm, warm};
use crate::cli::args::RunArgs;
use crate::cli::brokers::Wanted;

/// Opens it; a private one as it is wanted, somebody else's with these hands on it. What takes
/// time, and what is not as it was left, is said through `note`.
pub async fn open(
    args: &RunArgs,
    wanted: &Wanted,
    hands: Option<Hands>,
    keeper: &Path,
    note: &mut impl FnMut(&str),
) -> Result<Broker, BrokerError> {
    if let Some(url) = args.broker_url() {
        let (management, tls) = (args.management_url(), Tls::from(&args.tls));
        let broker = Broker::open(Choice::External { url, management, tls }, keeper).await?;
        return match hands {
            Some(hands) => broker.controlled_by(&hands).await,
            None => Ok(broker),
        };
    }
    if args.server.is_none()
        && *wanted == Wanted::default()
        && let Some(broker) = open_warm(keeper, note).await
    {
        return Ok(broker);
    }
    // A private node takes seconds to boot; silence would look like a hang.
    note("starting a private RabbitMQ …");
    let server = args.server.as_ref().map(PathBuf::from);
    let settings = wanted.settings.clone();
    Broker::open(Choice::Private { server, settings }, keeper).await
}

/// The warm broker, if there is one that answers; if there only was one, that is told.
async fn open_warm(keeper: &Path, note: &mut impl FnMut(&str)) -> Option<Broker> {
    match warm() {
        Warm::Absent => None,
        Warm::Standing(standing) => {
            match Broker::open(Choice::Warm(standing), keeper).await {
                Ok(broker) => return Some(broker),
                Err(error) => {
                    note(&format!("the warm RabbitMQ is not used: {error}"));
                }
            }
            None
        }
        Warm::Fallen(standing) => {
            note("the warm RabbitMQ has died; `rmq-scenario broker up` starts another");
            standing.forget().await;
            None
        }
    }
}
