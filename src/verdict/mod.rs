//! What the books prove: expectations, causes, proofs of faults.

pub mod model;
