//! The network between one program and the broker, where a scenario cuts or slows it: a proxy on
//! the loopback interface, which only that program's connections go through.

use std::time::Duration;

/// A handle to it; clones are the same network. It outlives connections: whoever connects again
/// while it is cut meets silence.
#[derive(Debug, Clone, Default)]
pub struct Wire {}

impl Wire {
    /// Silent in both directions from now on; nothing is closed, and nothing is lost: what is sent
    /// meanwhile arrives when it is mended, as TCP does it.
    pub fn cut(&self) {}

    /// It carries again.
    pub fn mend(&self) {}

    /// Everything comes so much later from now on; zero is as fast as it can.
    pub fn slow(&self, _latency: Duration) {}
}
