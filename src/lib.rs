//! Nightly export of AI Rudder voice-bot calls to partitioned Parquet: every final task exactly
//! once.
//!
//! # Flow
//! ```text
//! Job + Ledger ─discover→ PlannedTask ─api→ answer bytes ─decode→ rows of four tables (+ rejects)
//!              ─encode→ row groups ─lake→ data files, commit → Ledger
//! ```
//! Data flows one way, and modules depend leftwards in it. [`pipeline`] wires the stages; [`event`]
//! carries what happened to the listeners; [`cli`] is the edge. Plan first, then a dumb loop; the
//! core decides, the edges act; progress moves only when data is durable.
//!
//! # Guarantees
//! See `docs/architecture.md`. In short: a final task's rows are in the lake exactly once; no part
//! of a response is visible before it is complete; committed data is durable; nothing is dropped
//! silently.
//!
//! # Glossary
//! - **task**: an outbound task, the unit of export. **call**: one contact of a task. **redial**: a
//!   further attempt of a call. **turn**: one exchange of its transcript.
//! - **run**: one start of this program that writes. **ledger**: what is exported, according to the
//!   commit log.
//! - **sealed**: final and exported, never pulled again. **early**: exported while running.
//!   **open**: seen and not final. **failed**: not exported after all attempts.
//! - **stage**, **commit**, **publish**: write under a hidden name, make it count, make it visible.
//! - **shard**: one of several processes that divide the tasks of a lake.
//! - **reject**: a record that could not become a row, kept with its reason.
//! - **pacer**: the request limits of one account: rate, requests in flight, holds.

pub mod allocator;
pub mod api;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod decode;
pub mod discover;
pub mod doctor;
pub mod encode;
pub mod event;
pub mod exit_code;
pub mod fuzzing;
pub mod hardening;
pub mod job;
pub mod lake;
pub mod maintenance;
pub mod pipeline;
pub mod privacy;
pub mod report;
pub mod sandbox;
pub mod schema;
mod seeded;
pub mod shard;
pub mod store;
mod sync;
pub mod task;
pub mod warehouse;
