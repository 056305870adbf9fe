//! The runs now at work on a lake, including those of other processes.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::error::LakeError;
use crate::store::{LakePath, Store};
use crate::task::RunId;

/// A run that is alive: it holds its lock, or touched its sign of life not long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingRun {
    /// The id of the run.
    pub run_id: RunId,
    /// When it began. By its own clock, or, of a version that does not say it, by its id.
    pub since: Option<DateTime<Utc>>,
    /// Its machine, where it says so.
    pub host: Option<String>,
    /// Its process id on that machine, where it says so.
    pub pid: Option<u32>,
}

impl std::fmt::Display for LivingRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {}", self.run_id)?;
        if let Some(since) = self.since {
            write!(f, ", since {}", since.format("%Y-%m-%dT%H:%M:%SZ"))?;
        }
        if let Some(pid) = self.pid {
            write!(f, ", process {pid}")?;
        }
        if let Some(host) = &self.host {
            write!(f, " on {host}")?;
        }
        Ok(())
    }
}

/// The runs that write to a lake now, sorted by their ids.
///
/// # Errors
/// When that can't be told.
pub async fn living_runs(store: &Store) -> Result<Vec<LivingRun>, LakeError> {
    let mut living = Vec::new();
    for run in store.staging_runs().await? {
        let folder = LakePath::staging().join(&run);
        if store.is_dead(&folder).await? {
            continue;
        }
        let sign = store.sign(&folder).await?;
        let Ok(run_id) = RunId::new(&run) else {
            continue;
        };
        living.push(LivingRun {
            since: sign.since.or_else(|| begun(&run)),
            host: sign.host.map(|host| host.chars().take(255).collect()),
            pid: sign.pid,
            run_id,
        });
    }
    living.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    Ok(living)
}

/// When a run began, by its id.
fn begun(run: &str) -> Option<DateTime<Utc>> {
    let (time, _) = run.split_once('-')?;
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").ok()?;
    Some(time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alive_is_said_as_far_as_it_is_known() {
        let id = "20240318T003000Z-k3x9qa";
        let mut run = LivingRun {
            run_id: RunId::new(id).expect("an id"),
            since: begun(id),
            host: None,
            pid: None,
        };
        assert_eq!(
            run.to_string(),
            format!("run {id}, since 2024-03-18T00:30:00Z")
        );
        (run.host, run.pid) = (Some("etl-1".to_owned()), Some(7));
        assert!(run.to_string().ends_with("Z, process 7 on etl-1"), "{run}");
    }
}
