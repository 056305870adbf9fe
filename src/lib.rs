//! The nightly export of AI Rudder voice-bot calls to partitioned Parquet: every final task exactly
//! once.
//!
//! # Flow
//! ```text
//! Job + Ledger ─discover→ PlannedTask ─api→ answer bytes ─decode→ rows of four tables (+ rejects)
//!              ─lake::write→ data files ─lake→ commit → Ledger
//! ```
//! Data goes one way and modules depend leftwards in it. [`pipeline`] wires the stages; [`event`] carries
//! what happened to whoever listens; [`cli`] is the edge. Plan first, then a dumb loop; the core decides,
//! the edges act; progress moves only when data is durable.
//!
//! # Guarantees
//! See `docs/architecture.md`. In short: a final task's rows are in the lake exactly once; nothing of
//! an answer is visible before it is complete; what is committed is durable; nothing is dropped in
//! silence.
//!
//! # Glossary
//! - **task**: an outbound task, the unit that is exported. **call**: one contact of it. **redial**: a
//!   further attempt of a call. **turn**: one exchange of its transcript.
//! - **run**: one start of this program that writes. **ledger**: what the commit log says is exported.
//! - **sealed**: final and exported, never pulled again. **early**: exported while running. **open**:
//!   seen and not final. **failed**: not exported after all tries.
//! - **stage**, **commit**, **publish**: written where nobody looks, made to count, made visible.
//! - **shard**: one process of several that share the tasks of a lake between them.
//! - **reject**: a record that is kept with its reason because it could not become a row.
//! - **pacer**: the politeness of one account: rate, requests in flight, held until.

pub mod allocator;
pub mod api;
pub mod cli;
pub mod clock;
pub mod decode;
pub mod discover;
pub mod doctor;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod fuzzing;
pub mod hardening;
pub mod job;
pub mod lake;
pub mod pipeline;
pub mod privacy;
pub mod report;
pub mod sandbox;
pub mod schema;
mod seeded;
pub mod shard;
pub mod task;
