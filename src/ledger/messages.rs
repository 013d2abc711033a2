//! Every message of one producer and every copy it must make, in about twelve bytes each.
//!
//! Copies lie in the order of their publishes. A message's copies are found through the
//! length of its route, counted from the start of its block of messages.

use crate::plan::model::QueueId;

/// How many messages share one stored offset.
const BLOCK: usize = 16;
/// Bits of a message word that hold its route.
const ROUTE_BITS: u32 = 24;
const ROUTE_MASK: u32 = (1 << ROUTE_BITS) - 1;

/// What is known of a message beside its route.
pub mod message_flag {
    pub const ACKED: u8 = 1;
    pub const NACKED: u8 = 2;
    pub const RETURNED: u8 = 4;
    /// A worker or the drain saw a copy of it.
    pub const SEEN: u8 = 8;
    /// Its channel was closed in good order after it: the broker has read it.
    pub const READ: u8 = 16;
    /// The topology was changing while it was on its way.
    pub const UNCERTAIN: u8 = 32;
    /// It was a request, and an answer came.
    pub const REPLIED: u8 = 64;
    /// It was published again: there may be two of it, which nothing tells apart.
    pub const REPUBLISHED: u8 = 128;
}

/// What is known of a copy.
pub mod copy_flag {
    /// Its absence is no loss.
    pub const OPTIONAL: u16 = 1;
    /// A worker read it.
    pub const SEEN: u16 = 2;
    /// Its last delivery: work began, work finished, an ack was written.
    pub const BEGUN: u16 = 4;
    pub const FINISHED: u16 = 8;
    pub const ACKED: u16 = 16;
    /// The final drain found it.
    pub const DRAINED: u16 = 32;
    /// Its last delivery was refused, and is not to come back.
    pub const REJECTED: u16 = 64;
    /// Its last delivery was refused, and is to come back.
    pub const RETURNED: u16 = 128;
    /// It left its queue as a dead letter: where that came to, it was seen.
    pub const LEFT: u16 = 256;
    /// Some delivery of it was refused.
    pub const REFUSED: u16 = 512;

    /// What is said of the last delivery only.
    pub const OF_A_DELIVERY: u16 = BEGUN | FINISHED | ACKED | REJECTED | RETURNED;
}

/// Why a copy may have been finished twice, collected when it is read again.
pub mod again {
    pub const FORGOTTEN: u8 = 1;
    pub const REQUEUED: u8 = 2;
    pub const ACK_LOST: u8 = 4;
    /// A worker began a stream again.
    pub const REREAD: u8 = 8;
    /// It was published twice.
    pub const REPUBLISHED: u8 = 16;

    /// Of two that nothing tells apart one may have come again for these reasons, if it is seen a
    /// third time.
    pub fn perhaps(bits: u8) -> u8 {
        (bits & (FORGOTTEN | REQUEUED | ACK_LOST)) << 5
    }

    /// It was.
    pub fn confirmed(again: u8) -> u8 {
        again >> 5
    }
}

/// No life has read the copy.
pub const NOBODY: u16 = u16::MAX;

/// One stay of one message in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    pub flags: u16,
    /// The life that read it last, or [`NOBODY`].
    pub holder: u16,
    /// How often it was read; 65535 stands for more too.
    pub deliveries: u16,
    /// How often it was finished; 255 stands for more too.
    finished: u8,
    /// Bits of [`again`].
    again: u8,
}

impl Copy {
    /// A copy that nobody has seen.
    pub fn new(optional: bool) -> Self {
        let flags = if optional { copy_flag::OPTIONAL } else { 0 };
        Self { flags, holder: NOBODY, deliveries: 0, finished: 0, again: 0 }
    }

    pub fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// How often work on it was finished; 255 stands for more too.
    pub fn finished(self) -> u8 {
        self.finished
    }

    pub fn count_finish(&mut self) {
        self.finished = self.finished.saturating_add(1);
    }

    pub fn again(self) -> u8 {
        self.again
    }

    pub fn add_again(&mut self, bits: u8) {
        self.again |= bits;
    }

    /// It must have existed: required, or optional and seen.
    pub fn is_expected(self) -> bool {
        !self.has(copy_flag::OPTIONAL) || self.was_seen()
    }

    /// A worker or the drain saw it, or what it became as a dead letter.
    pub fn was_seen(self) -> bool {
        self.has(copy_flag::SEEN | copy_flag::DRAINED | copy_flag::LEFT)
    }
}

/// A set of queues that a publish reaches; `true` marks those it only may reach.
pub type Route = Vec<(QueueId, bool)>;

/// The routes of a run, each stored once.
#[derive(Debug, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The number of this route.
    ///
    /// # Panics
    /// With more than 16 million different sets of queues.
    pub fn intern(&mut self, route: Route) -> u32 {
        let known = self.0.iter().position(|known| *known == route);
        let index = known.unwrap_or_else(|| {
            self.0.push(route);
            self.0.len() - 1
        });
        let index = u32::try_from(index).expect("checked below");
        assert!(index <= ROUTE_MASK, "a run has at most 16 million different routes");
        index
    }

    pub fn get(&self, index: u32) -> &Route {
        &self.0[index as usize]
    }
}

/// The messages of one producer instance, by number from 1.
#[derive(Debug, Default)]
pub struct Messages {
    /// Route in the low 24 bits, flags above.
    words: Vec<u32>,
    copies: Vec<Copy>,
    /// Where the copies of each block's first message begin.
    blocks: Vec<u32>,
}

impl Messages {
    /// Room for `count` messages with a copy each; pages that are not touched cost nothing.
    pub fn with_capacity(count: u64) -> Self {
        let count = usize::try_from(count.min(1 << 26)).expect("it is small");
        Self {
            words: Vec::with_capacity(count),
            copies: Vec::with_capacity(count),
            blocks: Vec::with_capacity(count / BLOCK + 1),
        }
    }

    /// How many were published.
    pub fn len(&self) -> u32 {
        u32::try_from(self.words.len()).expect("the plan limits messages")
    }

    /// Whether none was published.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Adds the next message with a copy for each queue of its route.
    pub fn push(&mut self, route_index: u32, route: &Route, flags: u8) {
        if self.words.len().is_multiple_of(BLOCK) {
            self.blocks.push(u32::try_from(self.copies.len()).expect("under 4 billion copies"));
        }
        self.words.push(route_index | u32::from(flags) << ROUTE_BITS);
        self.copies.extend(route.iter().map(|&(_, optional)| Copy::new(optional)));
    }

    pub fn flags(&self, n: u32) -> u8 {
        (self.words[slot(n)] >> ROUTE_BITS) as u8
    }

    pub fn add_flags(&mut self, n: u32, flags: u8) {
        self.words[slot(n)] |= u32::from(flags) << ROUTE_BITS;
    }

    pub fn route(&self, n: u32) -> u32 {
        self.words[slot(n)] & ROUTE_MASK
    }

    /// Where the copies of message `n` begin.
    pub fn first_copy(&self, n: u32, routes: &Routes) -> usize {
        let slot = slot(n);
        let block = slot / BLOCK;
        let before = &self.words[block * BLOCK..slot];
        let skipped: usize = before.iter().map(|word| routes.get(word & ROUTE_MASK).len()).sum();
        self.blocks[block] as usize + skipped
    }

    /// Where the copy of message `n` in `queue` lies, if its route has it.
    pub fn find(&self, n: u32, queue: QueueId, routes: &Routes) -> Option<usize> {
        let position = routes.get(self.route(n)).iter().position(|(q, _)| *q == queue)?;
        Some(self.first_copy(n, routes) + position)
    }

    pub fn copy(&self, index: usize) -> Copy {
        self.copies[index]
    }

    pub fn copy_mut(&mut self, index: usize) -> &mut Copy {
        &mut self.copies[index]
    }

    /// Every copy with its message's number and its queue, in the order of the publishes.
    pub fn each<'a>(
        &'a self,
        routes: &'a Routes,
    ) -> impl Iterator<Item = (u32, QueueId, Copy)> + 'a {
        let mut next = 0;
        (1..=self.len()).flat_map(move |n| {
            let first = next;
            let route = routes.get(self.route(n));
            next += route.len();
            let copies = self.copies[first..next].iter();
            route.iter().zip(copies).map(move |((queue, _), copy)| (n, *queue, *copy))
        })
    }
}

fn slot(n: u32) -> usize {
    n as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_takes_eight_bytes_and_a_message_four() {
        assert_eq!(size_of::<Copy>(), 8);
        assert_eq!(size_of::<u32>(), 4);
    }

    #[test]
    fn copies_are_found_whatever_the_routes_before_them() {
        let mut routes = Routes::default();
        let of = |ids: &[u16]| ids.iter().map(|id| (QueueId(*id), false)).collect::<Route>();
        let lists = [of(&[0]), of(&[]), of(&[0, 1, 2]), of(&[2])];
        let mut messages = Messages::default();
        for n in 0..100_usize {
            let route = &lists[n * n % 4];
            let index = routes.intern(route.clone());
            messages.push(index, route, 0);
        }
        let listed: Vec<_> = messages.each(&routes).collect();
        for (position, (n, queue, _)) in listed.iter().enumerate() {
            assert_eq!(messages.find(*n, *queue, &routes), Some(position));
        }
        assert_eq!(messages.find(1, QueueId(9), &routes), None);
    }

    #[test]
    fn finishes_are_counted_up_to_255_beside_the_causes() {
        let mut copy = Copy::new(false);
        copy.add_again(again::REQUEUED);
        for _ in 0..300 {
            copy.count_finish();
        }
        copy.add_again(again::ACK_LOST);
        assert_eq!((copy.finished(), copy.again()), (255, again::REQUEUED | again::ACK_LOST));
    }
}
