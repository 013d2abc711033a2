//! All randomness of a run: pure functions of the seed, a label and a number.
//!
//! Nothing is drawn in the order of events, so two runs with one seed decide alike
//! whatever the broker and the scheduler do.

/// A source of draws that belongs to one use: the routing keys of one producer, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The stream for `label` under `seed`.
    pub fn new(seed: u64, label: &str) -> Self {
        // FNV-1a, so that the stream depends on every byte of the label.
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(mix(seed ^ mix(hash)))
    }

    /// The `n`-th draw, uniform over all of `u64`.
    pub fn draw(self, n: u64) -> u64 {
        mix(self.0.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The `n`-th draw, uniform over `0..bound`. The bias is below `bound / 2^64`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(self, n: u64, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs something to choose from");
        let wide = u128::from(self.draw(n)) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the high half of a product fits")
    }
}

/// The finalizer of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_label_and_number_and_on_nothing_else() {
        let stream = Stream::new(1, "new_task/dots");
        assert_eq!(stream.draw(3), Stream::new(1, "new_task/dots").draw(3));
        assert_ne!(stream.draw(3), stream.draw(4));
        assert_ne!(stream.draw(3), Stream::new(2, "new_task/dots").draw(3));
        assert_ne!(stream.draw(3), Stream::new(1, "new_task/size").draw(3));
    }

    #[test]
    fn bounded_draws_cover_the_whole_range_and_nothing_beyond() {
        let stream = Stream::new(7, "x");
        let mut seen = [0_u32; 5];
        for n in 0..1000 {
            seen[usize::try_from(stream.below(n, 5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 120), "{seen:?}");
    }
}
