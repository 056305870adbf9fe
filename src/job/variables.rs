//! Names of environment variables that are no settings.

pub const APP_KEY: &str = "AIRUDDER_APP_KEY";
pub const APP_SECRET: &str = "AIRUDDER_APP_SECRET";
pub const JOB: &str = "AIRUDDER_JOB";
/// Where a test build dies ([`crate::store::Failpoint`]); a release does not look at it.
pub const FAILPOINT: &str = "AIRUDDER_FAILPOINT";
/// Which pod of an indexed job this is, from 0, as Kubernetes sets it.
pub const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The time to decide by.
pub const AS_OF: &str = "AIRUDDER_AS_OF";
