//! Checks whether the destination can hold the lake, and whether the lake is consistent.

use std::error::Error;
use std::time::Duration;

use chrono::TimeDelta;

use super::check::{Check, Notes, count};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{CredentialsFrom, Destination, Job, ObjectPlace};
use crate::lake::{Claim, Lake, LakeError, ShownIdentity, UnfinishedWork, read_identity};
use crate::store::{ProbeAction, ProbeStep, Store};

/// Tolerated clock difference to another machine.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);

/// Maximum wait for a response of an object store: a diagnosis should be fast.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn examine(job: &Job, clock: &Clock, notes: &mut Notes<'_>) {
    let mut job = job.clone();
    if let Destination::Object(place) = &mut job.dest {
        let options = &mut place.options;
        options.retry_time = options.retry_time.min(PATIENCE);
        options.request_timeout = options.request_timeout.min(PATIENCE);
        notes.add(object_store(place));
    }
    let job = &job;
    let probed = match Store::new(&job.dest) {
        Ok(store) => store
            .probe(&clock.run_id())
            .await
            .map(|steps| (store, steps)),
        Err(error) => Err(error),
    };
    let (store, steps) = match probed {
        Ok(probed) => probed,
        Err(error) => {
            notes.add(failed("destination", error.exit_code(), &error));
            return;
        }
    };
    for action in store.probe_actions() {
        let step = steps.iter().find(|step| step.action == *action);
        notes.add(probe_check(*action, step));
    }
    let begun = steps.first().is_some_and(|step| step.result.is_ok());
    notes.add(if begun {
        space(&store, job).await
    } else {
        Check::skipped("dest.space", "there is no folder to ask for")
    });
    lake(job, clock, notes).await;
    if let Some(check) = super::modes::examine(job).await {
        notes.add(check);
    }
}

/// Where requests to an object store go, and with which credentials.
fn object_store(place: &ObjectPlace) -> Check {
    let endpoint = match &place.options.endpoint {
        Some(endpoint) => endpoint.as_str().trim_end_matches('/'),
        None => "the cloud's own endpoint",
    };
    let region = match (place.url.scheme(), place.region()) {
        ("s3", None) => ", region us-east-1, since none is set".to_owned(),
        (_, None) => String::new(),
        (_, Some(region)) => format!(", region {region}"),
    };
    let credentials = match place.credentials() {
        CredentialsFrom::Command(command) => format!("credentials from {command}"),
        CredentialsFrom::Variable(variable) => format!("credentials by {variable}"),
        CredentialsFrom::Machine { unset } => {
            format!("the role of this machine, since {unset} is not set")
        }
    };
    Check::ok("dest.store", format!("{endpoint}{region}, {credentials}"))
}

fn failed(name: &'static str, exit: ExitCode, error: &dyn Error) -> Check {
    let mut check = Check::fail(name, exit, error);
    check.what.insert_str(0, "failed to ");
    check
}

fn probe_check(action: ProbeAction, step: Option<&ProbeStep>) -> Check {
    let (name, can, advice) = match action {
        ProbeAction::CreateFolder => (
            "dest.create_folder",
            "folders can be made",
            "give this user the right to write there, or name another place with --dest",
        ),
        ProbeAction::Write => (
            "dest.write",
            "files can be written, synced and read back",
            "give this user the right to write there, or name another place with --dest",
        ),
        ProbeAction::CreateOnce => (
            "dest.create_once",
            "a file is never overwritten by another writer",
            "on an object store commits need conditional writes (docs/object-stores.md), on a disk hard links, which FAT and some network and FUSE mounts lack; name a \
             place on a local file system (ext4, XFS, APFS) with --dest",
        ),
        ProbeAction::Rename => (
            "dest.rename",
            "files can be moved between folders",
            "let the lake's folders lie on one file system, or name another place with --dest",
        ),
        ProbeAction::SyncFolder => (
            "dest.sync_folder",
            "folders can be synced",
            "without it a power cut can lose a commit; name a place on a local file system with \
             --dest",
        ),
        ProbeAction::Lock => (
            "dest.lock",
            "locks are seen by others (flock)",
            "without locks a second process would take a living run for a dead one; name a place \
             on a local file system with --dest",
        ),
        ProbeAction::Update => (
            "dest.update",
            "a changed object is not replaced (If-Match)",
            "commits need it; name a store that knows conditional writes (docs/object-stores.md)",
        ),
        ProbeAction::Upload => (
            "dest.upload",
            "uploads are invisible until they are completed",
            "commits need it; name a store that knows multipart uploads (docs/object-stores.md)",
        ),
        ProbeAction::Remove => (
            "dest.remove",
            "files and folders can be removed; the probe is gone",
            "give this user the right to remove what it made, and remove _export/doctor-… by hand",
        ),
    };
    match step.map(|step| &step.result) {
        None => Check::skipped(name, "a step before it failed"),
        Some(Ok(())) => Check::ok(name, can),
        Some(Err(error)) => {
            let check = failed(name, error.exit_code(), error);
            // The advice for this error is more specific than that for the step.
            if check.advice.is_some() {
                check
            } else {
                check.advise(advice)
            }
        }
    }
}

async fn space(store: &Store, job: &Job) -> Check {
    // Each table may have a full-size file in progress.
    let wanted = job.write.target_file_bytes.get().saturating_mul(4);
    match store.free_bytes().await {
        Ok(None) => Check::skipped("dest.space", "not available on this system"),
        Ok(Some(free)) if free >= wanted => Check::ok("dest.space", format!("{} free", size(free))),
        Ok(Some(free)) => {
            Check::warn("dest.space", format!("only {} free", size(free))).advise(format!(
                "a run may have {} in files that are not full yet (four tables, \
                 `target_file_size`); free space there, or name another place with --dest",
                size(wanted)
            ))
        }
        Err(error) => failed("dest.space", error.exit_code(), &error),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes / 1024;
    let mut unit = 0;
    while scaled >= 10 * 1024 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    format!("{scaled} {}", UNITS[unit])
}

/// Checks the existing lake.
async fn lake(job: &Job, clock: &Clock, notes: &mut Notes<'_>) {
    match look(job, clock).await {
        Ok(checks) => notes.add_all(checks),
        Err(error) => notes.add(failed("lake", error.exit_code(), &error)),
    }
}

async fn look(job: &Job, clock: &Clock) -> Result<Vec<Check>, LakeError> {
    let lake = Lake::open(&job.dest).await?;
    let ends = lake.unfinished_work().await?;
    let ledger = lake.ledger();
    let last = ledger.last_sequence();
    let Some(commit) = lake.read_commit(last).await? else {
        let what = "none there yet; the first run begins it";
        let mut checks = vec![Check::ok("lake", what)];
        checks.extend(unfinished(ends));
        return Ok(checks);
    };
    let mut checks = vec![Check::ok(
        "lake",
        format!(
            "{} sealed; commit {last}, the last one, is of {}",
            count(
                usize::try_from(ledger.sealed_count()).unwrap_or(usize::MAX),
                "task"
            ),
            commit.at.format("%Y-%m-%dT%H:%M:%SZ"),
        ),
    )];
    let setting = job.discover.partition_timezone;
    if let Some(zone) = ledger.zone().filter(|zone| *zone != setting) {
        let error = LakeError::OtherZone {
            path: lake.store().root().to_owned(),
            lake: zone.name().to_owned(),
            setting: setting.name().to_owned(),
        };
        checks.push(failed("lake.timezone", error.exit_code(), &error));
    }
    checks.extend(identity(job, &lake).await);
    if commit.at > clock.now() + CLOCK_SLACK {
        checks.push(
            Check::warn("lake.clock", "its last commit is of the future")
                .advise("set this machine's clock, or leave out --as-of"),
        );
    }
    checks.extend(unfinished(ends));
    Ok(checks)
}

/// Checks the account and host of the lake, and whether a run with these settings would be
/// accepted.
async fn identity(job: &Job, lake: &Lake) -> Option<Check> {
    // The time zone has its own check.
    let mut claim = Claim::of(job, false);
    claim.zone = lake.ledger().zone().unwrap_or(claim.zone);
    if let Err(error) = claim.check(lake.store()).await {
        return Some(failed("lake.identity", error.exit_code(), &error));
    }
    match read_identity(lake.store()).await {
        Ok(identity) => identity
            .map(|identity| Check::ok("lake.identity", ShownIdentity::from(identity).to_string())),
        Err(error) => Some(failed("lake.identity", error.exit_code(), &error)),
    }
}

/// Checks for work that runs left unfinished. While a run is live, it may be doing that work.
fn unfinished(ends: UnfinishedWork) -> Option<Check> {
    let UnfinishedWork {
        unpublished,
        living_runs,
        dead_runs,
    } = ends;
    if living_runs > 0 {
        let what = format!("{} at work on it now", count(number(living_runs), "run"));
        return Some(Check::ok("lake.unfinished", what));
    }
    if unpublished == 0 && dead_runs == 0 {
        return None;
    }
    let what = format!(
        "{} not published, {} left over",
        count(number(unpublished), "commit"),
        count(number(dead_runs), "staging folder"),
    );
    Some(
        Check::warn("lake.unfinished", what)
            .advise("a run was killed; the next command that writes finishes or undoes it"),
    )
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::store::StoreError;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(size(9 * 1024 * 1024), "9216 KiB");
        assert_eq!(size(1 << 30), "1024 MiB");
        assert_eq!(size(20 << 30), "20 GiB");
    }

    #[test]
    fn what_a_dead_run_left_is_a_warning_and_what_a_living_one_has_is_none() {
        let mut ends = UnfinishedWork {
            unpublished: 2,
            ..UnfinishedWork::default()
        };
        let check = unfinished(ends).expect("a check");
        assert_eq!(check.status, Status::Warn);
        assert!(
            check.what.starts_with("2 commits not published"),
            "{check:?}"
        );
        ends.living_runs = 1;
        assert_eq!(unfinished(ends).expect("a check").status, Status::Ok);
        assert_eq!(unfinished(UnfinishedWork::default()), None);
    }

    #[test]
    fn a_step_that_fails_says_what_to_do() {
        let step = ProbeStep {
            action: ProbeAction::Lock,
            result: Err(StoreError::Io {
                action: "lock",
                path: "/mnt/lake/lock".into(),
                source: std::io::Error::from(std::io::ErrorKind::Unsupported),
            }),
        };
        let check = probe_check(ProbeAction::Lock, Some(&step));
        assert_eq!(check.exit, crate::exit_code::ExitCode::Destination);
        assert!(
            check.what.starts_with("failed to lock /mnt/lake/lock"),
            "{check:?}"
        );
        assert!(check.advice.is_some_and(|advice| advice.contains("--dest")));
        let skipped = probe_check(ProbeAction::Rename, None);
        assert_eq!(skipped.status, Status::Skipped);
    }
}
