//! Wires the stages: the only place that spawns, owns tokens and waits for several things at once.

mod summary;

pub use summary::{FailedPull, Stop, Summary, TaskTotals, Written};
