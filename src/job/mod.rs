//! A validated [`Job`]: all settings of a run, decided before the first request.
//!
//! Settings come from four sources, in order of precedence: flag, environment, job file, default.
//! They are parsed once, here; no later stage checks a setting again.
//!
//! This module never accesses the network or the lake.

mod by_variable;
mod certificates;
mod command;
mod complaint;
mod credentials;
mod destination;
#[cfg(test)]
mod docs;
pub mod environment;
mod error;
mod file;
mod flags;
mod load;
pub(crate) mod nearest;
mod object;
mod observe;
mod options;
pub(crate) mod outside;
mod overlay;
pub(crate) mod place;
mod profile;
mod proxy;
pub(crate) mod quantity;
mod scalar;
pub mod schema;
mod secret;
mod selection;
pub mod settings;
mod sources;
mod store_credentials;
pub mod template;
mod unused;
mod variables;
pub(crate) mod words;

pub use destination::Destination;
pub use environment::Environment;
pub use error::{Origin, SettingsError};
pub use flags::SettingFlags;
pub use load::{load, load_clock, load_object_place, load_output};
pub use object::{CredentialsFrom, ObjectOptions, ObjectPlace};
#[cfg(feature = "otlp")]
pub use observe::OtlpSignal;
pub(crate) use observe::append_path;
pub use observe::{Address, LineageOptions, OtlpOptions, ParentRun};
#[cfg(test)]
pub use options::PageLimits;
pub use options::{
    ApiOptions, Credentials, DecodeOptions, DiscoverOptions, Encodings, IfRunning, Job, LogFormat,
    OutputOptions, ProgressMode, Reopen, ResultFormat, RetryOptions, SharedRate, WriteOptions,
};
pub use place::Cloud;
pub use profile::{
    ApiProfile, CodeMeaning, ListTasksProfile, ListWorkflowsProfile, Method, PagingProfile,
    PagingStyle, TimeFormat,
};
#[cfg(test)]
pub use quantity::Rate;
pub use secret::Secret;
pub use selection::{BackwardRange, DateRange, TaskSource};
pub use store_credentials::CredentialCommand;
pub use unused::unused_with;
