//! Whether every request of a producer is answered, however late.
//!
//! A late answer counts as long as its producer's channel is open, which is to the end of the run,
//! and no run that comes to rest ends before whoever works has answered.

use crate::plan::guarantees::copies::Destinations;
use crate::plan::guarantees::staffing::Staff;
use crate::plan::guarantees::threats::{Threats, Weather};
use crate::plan::model::{Confirms, ProducerId, QueueId, QueueKind};

/// Whether each of its messages comes to somebody who answers. Only where no fault and no probe is
/// in the file.
pub fn all_answered(threats: &Threats<'_>, id: ProducerId, destinations: &Destinations) -> bool {
    let variant = threats.variant;
    let producer = &variant.producers[id.index()];
    let calm = variant.faults.is_empty()
        && variant.probes.is_empty()
        && threats.weather == Weather::Calm
        && !threats.has_settings()
        && !threats.may_be_refused(id)
        && variant.producers.iter().all(|it| it.ttl.is_none());
    let copies = destinations.copies.iter().enumerate();
    let mut reached = copies.filter(|(_, copies)| !copies.is_zero());
    calm && producer.rpc.is_some()
        && producer.confirms != Confirms::Off
        && destinations.unroutable.is_zero()
        && reached.all(|(index, _)| answers(threats, QueueId::from_index(index)))
}

/// Whether whatever comes to this queue is answered.
fn answers(threats: &Threats<'_>, id: QueueId) -> bool {
    let queue = &threats.variant.topology.queues[id.index()];
    let staff = Staff::of(threats, id);
    let mut workers = threats.workers_of(id);
    queue.kind != QueueKind::Stream
        && !queue.is_bounded()
        && queue.message_ttl.is_none()
        && queue.arguments.is_empty()
        && threats.comes_first(id)
        && threats.stays(id)
        && staff.is_sure()
        && staff.is_calm()
        && workers.all(|(id, worker)| {
            worker.reply.is_some() && worker.rejects.is_empty() && !threats.may_err(id)
        })
}
