//! The brokers of one call: the usual one, and where a file wants settings of its own, a private
//! node with those for as long as variants want the same.

use std::path::{Path, PathBuf};

use crate::broker::{Broker, BrokerError, Choice, Settings};
use crate::cli::args::RunArgs;
use crate::plan::model::{Scenario, Variant};

/// All that are open.
pub struct Brokers<'a> {
    usual: Broker,
    usual_settings: Settings,
    own: Option<(Settings, Broker)>,
    args: &'a RunArgs,
    keeper: &'a Path,
}

impl<'a> Brokers<'a> {
    /// `usual` was opened with these settings.
    pub fn new(
        usual: Broker,
        usual_settings: Settings,
        args: &'a RunArgs,
        keeper: &'a Path,
    ) -> Self {
        Self { usual, usual_settings, own: None, args, keeper }
    }

    /// The settings of the usual broker: where all variants want the same, those, so that no
    /// second node is started.
    pub fn usual_settings(scenarios: &[Scenario]) -> Settings {
        let mut variants = scenarios.iter().flat_map(|scenario| &scenario.variants);
        let wanted = |variant: &Variant| match Self::wants_own(variant) {
            true => Settings::from(&variant.broker),
            false => Settings::default(),
        };
        let first = variants.next().map(wanted).unwrap_or_default();
        let same = variants.all(|variant| wanted(variant) == first);
        if same { first } else { Settings::default() }
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

    /// The settings of the node that a variant gets for itself, if it does: others may be at work
    /// on a warm broker, and must not feel what befalls this one.
    fn own_settings(&self, variant: &Variant) -> Option<Settings> {
        let alone = self.usual.is_warm() && variant.befalls_broker();
        (Self::wants_own(variant) || alone).then(|| Settings::from(&variant.broker))
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
        let Some(settings) = self.own_settings(variant) else { return Ok(()) };
        let known = self.own.as_ref().is_some_and(|(known, _)| *known == settings);
        if known || (settings == self.usual_settings && !self.usual.is_warm()) {
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
        match (&self.own, self.own_settings(variant)) {
            (Some((settings, own)), Some(wanted)) if *settings == wanted => own,
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
