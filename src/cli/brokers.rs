//! The brokers of one call: the usual one, and where a file wants settings of its own, a private
//! node with those for as long as variants want the same.

use std::path::{Path, PathBuf};

use crate::broker::{Broker, BrokerError, Choice, Settings};
use crate::cli::args::RunArgs;
use crate::plan::model::Variant;

/// All that are open.
pub struct Brokers<'a> {
    usual: Broker,
    own: Option<(Settings, Broker)>,
    args: &'a RunArgs,
    keeper: &'a Path,
}

impl<'a> Brokers<'a> {
    pub fn new(usual: Broker, args: &'a RunArgs, keeper: &'a Path) -> Self {
        Self { usual, own: None, args, keeper }
    }

    /// The one for whoever wants nothing special.
    pub fn usual(&self) -> &Broker {
        &self.usual
    }

    /// Whether a variant wants a private node with settings of its own. A heartbeat is agreed
    /// upon by each connection, so any broker will do for that.
    pub fn wants_own(variant: &Variant) -> bool {
        !variant.broker.config.is_empty() || !variant.broker.advanced.is_empty()
    }

    /// Makes ready what a variant is to be run on. `note` is told what takes time.
    ///
    /// # Errors
    /// When a node with the variant's settings does not come up, or the last one does not end.
    pub async fn prepare(
        &mut self,
        variant: &Variant,
        note: &mut impl FnMut(&str),
    ) -> Result<(), BrokerError> {
        self.usual.set_heartbeat(variant.broker.heartbeat);
        if !Self::wants_own(variant) {
            return Ok(());
        }
        let settings = Settings::from(&variant.broker);
        if self.own.as_ref().is_some_and(|(known, _)| *known == settings) {
            return Ok(());
        }
        if let Some((_, last)) = self.own.take() {
            last.close().await?;
        }
        note("starting a private RabbitMQ with the settings of the file …");
        let server = self.args.server.as_ref().map(PathBuf::from);
        let choice = Choice::Private { server, settings: settings.clone() };
        let broker = Broker::open(choice, self.keeper).await?;
        self.own = Some((settings, broker));
        Ok(())
    }

    /// What was made ready for the variant.
    pub fn of(&self, variant: &Variant) -> &Broker {
        match &self.own {
            Some((_, own)) if Self::wants_own(variant) => own,
            _ => &self.usual,
        }
    }

    /// Ends all that is ours and removes what is left on the others.
    ///
    /// # Errors
    /// The first that left something behind.
    pub async fn close(self) -> Result<(), BrokerError> {
        let own = match self.own {
            Some((_, own)) => own.close().await,
            None => Ok(()),
        };
        self.usual.close().await.and(own)
    }
}
