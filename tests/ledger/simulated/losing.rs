//! Connections of simulated workers that are lost: cut off, closed by the broker, given up while
//! their program stands still; and when the program learns of that.

use rmq_scenario::ledger::event::{Event, Hindrance, LifeEnd};
use rmq_scenario::plan::model::{FaultId, WorkerId};

use crate::simulated::client::{Client, Silence};
use crate::simulated::working::{Dying, Post};
use crate::simulated::{Action, Sim, Strike};

impl Sim<'_> {
    pub(super) fn losing_actions(&self, id: WorkerId, actions: &mut Vec<Action>) {
        let Post::Live(client) = &self.posts[id.index()] else { return };
        let open = self.broker.consumers[client.consumer].open;
        if client.is_hindered() && open && self.serves() {
            actions.push(Action::GiveUp(id));
        }
        if matches!(client.cut, Some(Silence::ForNow)) && self.may_mend(client) {
            actions.push(Action::Mend(id));
        }
        if matches!(client.frozen, Some(Silence::ForNow)) {
            actions.push(Action::Thaw(id));
        }
        let hears = client.frozen.is_none() && (client.cut.is_some() || !open);
        if hears && !client.lost {
            actions.push(Action::Learn(id));
        }
    }

    fn may_mend(&self, client: &Client) -> bool {
        self.is_up() || !self.broker.consumers[client.consumer].open
    }

    /// What befalls a worker that lives on.
    pub(super) fn strike(&mut self, id: WorkerId, for_good: bool) {
        let Post::Live(client) = &mut self.posts[id.index()] else { return };
        if client.is_hindered() || client.lost || !self.broker.consumers[client.consumer].open {
            return;
        }
        let silence = if for_good { Silence::ToTheEnd } else { Silence::ForNow };
        self.events.extend(client.tell(usize::MAX));
        let life = client.life;
        let (at, fault) = (self.now(), FaultId::from_index(self.strikes.len()));
        self.events.push(Event::Struck { fault, life, at });
        self.strikes.push(Strike { life, events: self.events.len() });
        match self.dice.below(3) {
            0 if !for_good => self.disconnect(id),
            1 => self.freeze(id, silence),
            _ => self.cut(id, silence),
        }
    }

    fn client(&mut self, id: WorkerId) -> &mut Client {
        match &mut self.posts[id.index()] {
            Post::Live(client) => client,
            _ => unreachable!("it lives"),
        }
    }

    fn disconnect(&mut self, id: WorkerId) {
        let consumer = self.client(id).consumer;
        self.dismiss(consumer);
    }

    fn freeze(&mut self, id: WorkerId, silence: Silence) {
        let client = self.client(id);
        client.frozen = Some(silence);
        let life = client.life;
        self.events.push(Event::Hindered { life, by: Some(Hindrance::Frozen) });
    }

    fn cut(&mut self, id: WorkerId, silence: Silence) {
        let client = self.client(id);
        client.cut = Some(silence);
        let (life, consumer) = (client.life, client.consumer);
        self.events.push(Event::Hindered { life, by: Some(Hindrance::CutOff) });
        self.broker.consumers[consumer].cut = true;
        let goes = self.begin_departure(id, consumer, true);
        self.client(id).goes = goes;
    }

    /// The broker has heard nothing for too long, or waits in vain for an ack.
    pub(super) fn give_up(&mut self, id: WorkerId) {
        let client = self.client(id);
        let (life, consumer, goes) = (client.life, client.consumer, client.goes);
        let cut = client.cut.is_some();
        self.broker.close(consumer);
        if let Some((_, pile)) = goes {
            self.broker.remove(pile);
        }
        if cut && self.dice.percent(50) {
            self.unread.push((life, false));
        }
    }

    /// The network carries again, or is found to lead nowhere.
    pub(super) fn mend(&mut self, id: WorkerId) {
        let client = self.client(id);
        client.cut = None;
        let (life, consumer) = (client.life, client.consumer);
        self.broker.consumers[consumer].cut = false;
        if !self.broker.consumers[consumer].open {
            return;
        }
        self.events.push(Event::Hindered { life, by: None });
        if let Some((change, pile)) = self.client(id).goes.take() {
            self.going.retain(|&going| going != pile);
            let at = self.now();
            self.events.push(Event::ChangeDropped { change, at });
        }
    }

    pub(super) fn thaw(&mut self, id: WorkerId) {
        let client = self.client(id);
        client.frozen = None;
        let life = client.life;
        self.events.push(Event::Hindered { life, by: None });
    }

    /// The program learns that its connection is lost: what it has in hand is its last.
    pub(super) fn learn(&mut self, id: WorkerId) {
        let client = self.client(id);
        client.lose();
        if !client.is_busy() {
            self.end_lost(id);
        }
    }

    pub(super) fn end_lost(&mut self, id: WorkerId) {
        let Post::Live(mut client) = std::mem::replace(&mut self.posts[id.index()], Post::Done)
        else {
            return;
        };
        let hopeless = client.cut == Some(Silence::ToTheEnd);
        let back = !hopeless && self.dice.percent(75);
        self.events.extend(client.tell(usize::MAX));
        self.bury_later(id, client, LifeEnd::Lost);
        self.posts[id.index()] = if back { Post::Absent } else { Post::Done };
    }

    /// A life ends whose connection is lost, or will be.
    pub(super) fn bury_later(&mut self, id: WorkerId, mut client: Client, how: LifeEnd) {
        let goes = match client.goes.take() {
            Some(goes) => Some(goes),
            None => self.begin_departure(id, client.consumer, true),
        };
        let (at, life, totals) = (self.now(), client.life, client.totals());
        self.events.push(Event::LifeEnded { life, how, totals, at });
        self.dying.push(Dying { client, clean: false, goes });
    }
}
