//! The brokers of one call: the usual one, which runs share, and where a file wants settings or
//! faults of its own, private brokers with those, each for one run at a time and kept for the next
//! that wants the same.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use tokio::sync::{RwLock, RwLockReadGuard};

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

/// All that are open, for several runs at a time.
pub struct Brokers<'a> {
    /// None where all variants break theirs.
    usual: RwLock<Option<Opened>>,
    is: Wanted,
    pub world: World,
    /// Those of our own that no run has at the moment.
    spare: RefCell<Vec<Opened>>,
    args: &'a RunArgs,
    keeper: &'a Path,
}

/// What is known of the usual broker for as long as the program runs.
#[derive(Debug, Clone)]
pub struct World {
    pub version: String,
    /// `private`, `warm` or `external`.
    pub kind: &'static str,
    pub has_management: bool,
    /// Whether faults may befall it.
    pub has_control: bool,
    size: usize,
    nodes: usize,
}

/// A broker, and as what it was opened.
pub struct Opened {
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

/// A broker for one run, to be given back with [`Brokers::give_back`].
pub enum Lease<'b> {
    /// Others may have it at the same time.
    Usual(RwLockReadGuard<'b, Opened>),
    Own(Box<Opened>),
}

impl Lease<'_> {
    pub fn broker(&self) -> &Broker {
        match self {
            Lease::Usual(opened) => &opened.broker,
            Lease::Own(opened) => &opened.broker,
        }
    }

    /// It is not to be used any more. What others use as well is not spoilt by one of them.
    pub fn spoil(&mut self) {
        if let Lease::Own(opened) = self {
            opened.spoilt = true;
        }
    }
}

impl<'a> Brokers<'a> {
    /// `usual` was opened as it is wanted by all.
    pub fn new(usual: Broker, is: Wanted, args: &'a RunArgs, keeper: &'a Path) -> Self {
        let world = World {
            version: usual.version().to_owned(),
            kind: usual.kind(),
            has_management: usual.has_management(),
            has_control: usual.control().is_some(),
            size: usual.size(),
            nodes: usual.nodes(),
        };
        let opened = Opened::new(usual, is.clone());
        let (usual, spare) = match is.alone && world.kind != "external" {
            true => (None, vec![opened]),
            false => (Some(opened), Vec::new()),
        };
        let (usual, spare) = (RwLock::new(usual), RefCell::new(spare));
        Self { usual, is, world, spare, args, keeper }
    }

    /// Whether a variant wants a private broker with settings of its own.
    pub fn sets(variant: &Variant) -> bool {
        let wishes = &variant.broker;
        let nodes = wishes.nodes.is_some_and(|nodes| nodes > 1);
        nodes || !wishes.config.is_empty() || !wishes.advanced.is_empty()
    }

    /// Whether a variant is not to be run on a broker that is warm, or that others use.
    fn wants_own(variant: &Variant) -> bool {
        Self::sets(variant) || variant.befalls_broker()
    }

    /// Somebody else's broker is all there is, whatever a variant wants.
    pub fn wants_usual(&self, variant: &Variant) -> bool {
        let is_so = !self.is.alone && Wanted::of(variant) == self.is;
        self.world.kind == "external" || !Self::wants_own(variant) || is_so
    }

    /// How many nodes a variant will find, and how many of them it may name.
    pub fn nodes(&self, variant: &Variant) -> (usize, usize) {
        if self.wants_usual(variant) {
            return (self.world.size, self.world.nodes);
        }
        let own = Wanted::of(variant).settings.nodes.try_into().unwrap_or(usize::MAX);
        (own, own)
    }

    /// Makes ready what a variant is to be run on. `note` is told what takes time.
    ///
    /// # Errors
    /// When a broker as it is wanted does not come up, or the last one does not end.
    pub async fn lend(
        &self,
        variant: &Variant,
        note: &mut impl FnMut(&str),
    ) -> Result<Lease<'_>, BrokerError> {
        if self.wants_usual(variant) {
            return self.usual(note).await.map(Lease::Usual);
        }
        let wanted = Wanted::of(variant);
        let idle = std::mem::take(&mut *self.spare.borrow_mut());
        let good = |own: &Opened| own.is.settings == wanted.settings && own.is_good();
        let (mut fitting, others): (Vec<_>, Vec<_>) = idle.into_iter().partition(good);
        let found = fitting.pop();
        self.spare.borrow_mut().append(&mut fitting);
        if let Some(own) = found {
            self.spare.borrow_mut().extend(others);
            return Ok(Lease::Own(Box::new(own)));
        }
        // What nobody has at the moment, and this one cannot use, makes room.
        for last in others {
            last.broker.close().await?;
        }
        note(&match wanted.settings.nodes {
            1 if wanted.settings.is_default() => "starting a private RabbitMQ to break …".into(),
            1 => "starting a private RabbitMQ with the settings of the file …".to_owned(),
            nodes => format!("starting a private cluster of {nodes} nodes …"),
        });
        let broker = self.open(&wanted.settings).await?;
        Ok(Lease::Own(Box::new(Opened::new(broker, wanted))))
    }

    /// The one for whoever wants nothing special. One of ours that is no more what it was is
    /// replaced; a warm one is not, nor is somebody else's.
    async fn usual(
        &self,
        note: &mut impl FnMut(&str),
    ) -> Result<RwLockReadGuard<'_, Opened>, BrokerError> {
        let usable = |usual: &Option<Opened>| {
            usual.as_ref().is_some_and(|it| it.broker.facts().is_none() || it.is_good())
        };
        let only = |usual| RwLockReadGuard::map(usual, |it: &Option<Opened>| opened(it));
        let usual = self.usual.read().await;
        if usable(&usual) {
            return Ok(only(usual));
        }
        drop(usual);
        // Waits until nobody has the old one.
        let mut usual = self.usual.write().await;
        if !usable(&usual) {
            note("starting another private RabbitMQ …");
            let is = if self.is.alone { Wanted::default() } else { self.is.clone() };
            let broker = self.open(&is.settings).await?;
            if let Some(old) = usual.replace(Opened::new(broker, is)) {
                old.broker.close().await?;
            }
        }
        Ok(only(usual.downgrade()))
    }

    /// A run is over.
    pub fn give_back(&self, lease: Lease<'_>) {
        if let Lease::Own(opened) = lease {
            self.spare.borrow_mut().push(*opened);
        }
    }

    async fn open(&self, settings: &Settings) -> Result<Broker, BrokerError> {
        let server = self.args.server.as_ref().map(PathBuf::from);
        Broker::open(Choice::Private { server, settings: settings.clone() }, self.keeper).await
    }

    /// Ends all that is ours and removes what is left on the others.
    ///
    /// # Errors
    /// The first that left something behind.
    pub async fn close(self) -> Result<(), BrokerError> {
        let mut closed = Ok(());
        for opened in self.spare.into_inner().into_iter().chain(self.usual.into_inner()) {
            closed = closed.and(opened.broker.close().await);
        }
        closed
    }
}

/// The broker that is there once it was looked at.
fn opened(usual: &Option<Opened>) -> &Opened {
    usual.as_ref().expect("it was opened, or the error told")
}
