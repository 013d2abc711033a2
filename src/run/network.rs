//! The network of one program, as far as faults concern it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::broker::{Way, Wire};
use crate::ledger::event::Micros;
use crate::plan::model::{FaultAction, Instance, NodeId, Variant};
use crate::run::stage::{Stage, lock};

/// How silent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Silence {
    #[default]
    None,
    /// It will carry again.
    ForNow,
    /// To the end of the run.
    ToTheEnd,
}

/// That of one instance.
#[derive(Debug)]
pub struct Network {
    /// Its own, where some fault cuts or slows it.
    pub wire: Option<Wire>,
    silence: watch::Sender<Silence>,
    /// When its program last learned that its connection was lost.
    learned: Mutex<Option<Micros>>,
    /// A fault has acted upon it: that it loses its connection is explained.
    struck: AtomicBool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            wire: None,
            silence: watch::Sender::default(),
            learned: Mutex::default(),
            struck: AtomicBool::new(false),
        }
    }
}

impl Network {
    pub fn of(plan: &Variant, who: Instance) -> Self {
        let touches = |action: &FaultAction| {
            matches!(action, FaultAction::Cut { .. } | FaultAction::Slow { .. })
                && action.target() == Some(who)
        };
        let touched = plan.faults.iter().any(|fault| touches(&fault.action));
        Self { wire: touched.then(Wire::default), ..Self::default() }
    }

    /// The way that it connects by: to its own node of a cluster, or one after another.
    pub fn way(&self, node: Option<NodeId>, index: usize, stage: &Stage) -> Way {
        let node = node.unwrap_or_else(|| NodeId::from_index(index % stage.nodes.count()));
        Way { node: Some(node), wire: self.wire.clone() }
    }

    pub fn silence(&self) -> Silence {
        *self.silence.borrow()
    }

    pub fn set_silence(&self, silence: Silence) {
        self.silence.send_replace(silence);
    }

    /// Whatever silenced it is over.
    pub fn mend(&self) {
        if let Some(wire) = &self.wire {
            wire.mend();
        }
        self.set_silence(Silence::None);
    }

    /// Waits until it is silent no more, or for good.
    pub async fn settles(&self) {
        let mut silence = self.silence.subscribe();
        // The sender lives as long as this value.
        let _ = silence.wait_for(|silence| *silence != Silence::ForNow).await;
    }

    /// Whether anything is heard of it now.
    pub fn is_silent(&self) -> bool {
        self.silence() != Silence::None
    }

    /// Whether a fault keeps it, or has kept it, from carrying.
    pub fn is_touched(&self) -> bool {
        self.is_silent() || self.is_struck()
    }

    /// Its program learns that its connection is lost.
    pub fn learn(&self, at: Micros) {
        *lock(&self.learned) = Some(at);
    }

    /// When it did so last.
    pub fn learned(&self) -> Option<Micros> {
        *lock(&self.learned)
    }

    /// A fault acts upon it.
    pub fn strike(&self) {
        self.struck.store(true, Ordering::SeqCst);
    }

    /// Whether one has.
    pub fn is_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }
}
