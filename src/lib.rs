//! The nightly export of AI Rudder voice-bot calls to partitioned Parquet.

pub mod api;
pub mod cli;
pub mod clock;
pub mod decode;
pub mod discover;
pub mod error;
pub mod event;
pub mod job;
pub mod lake;
pub mod pipeline;
pub mod sandbox;
pub mod schema;
pub mod task;
