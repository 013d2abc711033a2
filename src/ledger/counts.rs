//! A set of counts, one number for each name.

use std::ops::{Index, IndexMut};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::plan::count::{ALL, Count};

/// Every count of one scope; what has no meaning there is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; ALL.len()]);

impl Index<Count> for Counts {
    type Output = u64;
    fn index(&self, count: Count) -> &u64 {
        &self.0[count as usize]
    }
}

impl IndexMut<Count> for Counts {
    fn index_mut(&mut self, count: Count) -> &mut u64 {
        &mut self.0[count as usize]
    }
}

impl Counts {
    /// Adds every number of `other`.
    pub fn add(&mut self, other: &Counts) {
        for count in ALL {
            self[count] += other[count];
        }
    }

    /// The sum over `names`.
    pub fn sum(&self, names: &[Count]) -> u64 {
        names.iter().map(|&count| self[count]).sum()
    }
}

/// All counts, zero ones too, in the order of [`ALL`].
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(ALL.len()))?;
        for count in ALL {
            map.serialize_entry(count.name(), &self[count])?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_list_is_the_order_of_the_names() {
        for (position, count) in ALL.into_iter().enumerate() {
            assert_eq!(position, count as usize, "{}", count.name());
        }
    }
}
