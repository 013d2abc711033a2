//! Draws that depend on a seed and on how many came before.

use rmq_scenario::plan::random::Stream;

pub struct Dice {
    stream: Stream,
    drawn: u64,
}

impl Dice {
    pub fn new(seed: u64, label: &str) -> Self {
        Self { stream: Stream::new(seed, label), drawn: 0 }
    }

    /// A number from 0 to `bound - 1`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.drawn += 1;
        self.stream.below(self.drawn, bound as u64) as usize
    }

    /// True that often.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}
