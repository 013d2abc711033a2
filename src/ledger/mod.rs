//! What happened: events in, rows and counts out.

pub mod counts;
pub mod progress;
