//! The brokers of one call: the usual one, and where a file wants settings or faults of its own, a
//! private broker with those for as long as variants want the same.

use std::mem;
use std::path::{Path, PathBuf};

use crate::broker::{Broker, BrokerError, Choice, Settings};
use crate::cli::args::RunArgs;
use crate::plan::model::{Scenario, Variant};

/// What a variant wants of its broker; whoever wants nothing takes the usual one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    pub settings: Settings,
    /// Faults befall it: what others use, or will, is not for that.
    pub alone: bool,
}

impl Wanted {
    /// A heartbeat is agreed upon by each connection, so any broker will do for that.
    pub fn of(variant: &Variant) -> Self {
        let settings = match Brokers::sets(variant) {
            true => Settings::from(&variant.broker),
            false => Settings::default(),
        };
        Self { settings, alone: variant.befalls_broker() }
    }

    /// Where all variants want the same, the usual broker is like that, so that no second one is
    /// started.
    pub fn by_all(scenarios: &[Scenario]) -> Self {
        let mut variants = scenarios.iter().flat_map(|scenario| &scenario.variants);
        let first = variants.next().map(Self::of).unwrap_or_default();
        if variants.all(|variant| Self::of(variant) == first) { first } else { Self::default() }
    }
}

/// All that are open.
pub struct Brokers<'a> {
    usual: Opened,
    /// The last one that was not the usual.
    own: Option<Opened>,
    args: &'a RunArgs,
    keeper: &'a Path,
}

/// A broker, and as what it was opened.
struct Opened {
    broker: Broker,
    is: Wanted,
    /// What befell it is not undone.
    spoilt: bool,
}

impl Opened {
    fn new(broker: Broker, is: Wanted) -> Self {
        Self { broker, is, spoilt: false }
    }

    fn is_good(&self) -> bool {
        !self.spoilt && !self.broker.has_fallen()
    }
}

impl<'a> Brokers<'a> {
    /// `usual` was opened as it is wanted by all.
    pub fn new(usual: Broker, is: Wanted, args: &'a RunArgs, keeper: &'a Path) -> Self {
        Self { usual: Opened::new(usual, is), own: None, args, keeper }
    }

    /// The one for whoever wants nothing special.
    pub fn usual(&self) -> &Broker {
        &self.usual.broker
    }

    /// Whether a variant wants a private broker with settings of its own.
    pub fn sets(variant: &Variant) -> bool {
        let wishes = &variant.broker;
        let nodes = wishes.nodes.is_some_and(|nodes| nodes > 1);
        nodes || !wishes.config.is_empty() || !wishes.advanced.is_empty()
    }

    /// Whether a variant is not to be run on a broker that is warm, or that others use.
    pub fn wants_own(variant: &Variant) -> bool {
        Self::sets(variant) || variant.befalls_broker()
    }

    /// Somebody else's broker is all there is, whatever a variant wants.
    fn wants_usual(&self, variant: &Variant) -> bool {
        let external = self.usual.broker.kind() == "external";
        external || !Self::wants_own(variant) || Wanted::of(variant) == self.usual.is
    }

    /// How many nodes a variant will find, and how many of them it may name.
    pub fn nodes(&self, variant: &Variant) -> (usize, usize) {
        if self.wants_usual(variant) {
            return (self.usual.broker.size(), self.usual.broker.nodes());
        }
        let own = Wanted::of(variant).settings.nodes.try_into().unwrap_or(usize::MAX);
        (own, own)
    }

    /// Makes ready what a variant is to be run on. `note` is told what takes time.
    ///
    /// # Errors
    /// When a broker as it is wanted does not come up, or the last one does not end.
    pub async fn prepare(
        &mut self,
        variant: &Variant,
        note: &mut impl FnMut(&str),
    ) -> Result<(), BrokerError> {
        if self.wants_usual(variant) {
            return self.renew_usual(note).await;
        }
        let wanted = Wanted::of(variant);
        let good = |own: &Opened| own.is.settings == wanted.settings && own.is_good();
        if self.own.as_ref().is_some_and(good) {
            return Ok(());
        }
        if let Some(last) = self.own.take() {
            last.broker.close().await?;
        }
        note(&match wanted.settings.nodes {
            1 if wanted.settings.is_default() => "starting a private RabbitMQ to break …".into(),
            1 => "starting a private RabbitMQ with the settings of the file …".to_owned(),
            nodes => format!("starting a private cluster of {nodes} nodes …"),
        });
        let broker = self.open(&wanted.settings).await?;
        self.own = Some(Opened::new(broker, wanted));
        Ok(())
    }

    /// One of ours that is no more what it was is replaced. A warm one is not, nor is somebody
    /// else's.
    async fn renew_usual(&mut self, note: &mut impl FnMut(&str)) -> Result<(), BrokerError> {
        let ours = self.usual.broker.facts().is_some();
        if !ours || self.usual.is_good() {
            return Ok(());
        }
        note("starting another private RabbitMQ …");
        let is = self.usual.is.clone();
        let broker = self.open(&is.settings).await?;
        mem::replace(&mut self.usual, Opened::new(broker, is)).broker.close().await
    }

    async fn open(&self, settings: &Settings) -> Result<Broker, BrokerError> {
        let server = self.args.server.as_ref().map(PathBuf::from);
        Broker::open(Choice::Private { server, settings: settings.clone() }, self.keeper).await
    }

    /// What was made ready for the variant.
    pub fn of(&self, variant: &Variant) -> &Broker {
        match &self.own {
            Some(own) if !self.wants_usual(variant) => &own.broker,
            _ => &self.usual.broker,
        }
    }

    /// What was made ready for the variant is not to be used any more.
    pub fn spoil(&mut self, variant: &Variant) {
        let usual = self.wants_usual(variant);
        match &mut self.own {
            Some(own) if !usual => own.spoilt = true,
            _ => self.usual.spoilt = true,
        }
    }

    /// Ends all that is ours and removes what is left on the others.
    ///
    /// # Errors
    /// The first that left something behind.
    pub async fn close(self) -> Result<(), BrokerError> {
        let own = match self.own {
            Some(own) => own.broker.close().await,
            None => Ok(()),
        };
        self.usual.broker.close().await.and(own)
    }
}
