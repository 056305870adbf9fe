//! The `replay` command: imports saved responses.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use url::Url;

use super::context::Context;
use super::error::Error;
use super::lines::{Lines, MAX_LINE};
use super::pull;
use super::settings::{Replay, Settings};
use super::watched;
use crate::exit_code::ExitCode;
use crate::job::environment::APP_KEY;
use crate::job::settings::setting;
use crate::job::{Environment, Job, ObjectPlace, Secret, load_object_place};
use crate::lake::{Claim, host_of};
use crate::pipeline::{
    Beginning, NamedAnswer, ReplayInputError, RunScope, bucket_and_key, saved_answers,
};

/// Arguments of `replay`: saved responses, and what they may replace.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayArgs {
    /// Saved responses: files, folders, prefixes of buckets, or - for a list of names
    ///
    /// Files may be compressed (.gz, .zst). Folders and prefixes are taken with all that is below
    /// them. Object stores are s3://, gs://, az:// and abfss://, with the same credentials and
    /// settings (store.*) as those of a lake. With -, standard input contains one name per line.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Import sealed tasks again; their rows replace the old ones
    #[arg(long)]
    pub replace: bool,
    /// Let a response with fewer calls replace exported rows
    ///
    /// Otherwise it is refused and reported, and the rows stay.
    #[arg(long, requires = "replace")]
    pub allow_fewer: bool,
    /// Continue although the lake is of another account or host, and record the change
    ///
    /// Otherwise the command is refused. Needed only once: the lake then belongs to this account.
    #[arg(long)]
    pub accept_lake_change: bool,
    /// Settings of a command that imports responses, given as flags.
    #[command(flatten)]
    pub settings: Settings<Replay>,
}

/// Imports saved responses.
///
/// # Errors
///
/// When a setting, a named file or the destination fails.
pub async fn run(args: &ReplayArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let mut job = context.job()?;
    let named = named(&args.files)?;
    let places = places(&named, context)?;
    if !places.is_empty() {
        // They are, by the responses.
        job.unused.retain(|note| !note.starts_with("`store."));
    }
    let answers = saved_answers(&named, &places).await?;
    let scope = RunScope {
        replace: args.replace,
        allow_fewer: args.allow_fewer,
        ..RunScope::default()
    };
    let claim = claim(&job, &context.env, args.accept_lake_change);
    let clock = context.clock()?;
    let console = pull::Console::new(&job, &context.env);
    let observer = watched::begin(&job, "replay", &clock);
    pull::warn_without_zone(&job, &console.events);
    let ended = async {
        let beginning = Beginning {
            claim,
            mends: scope.replace,
        };
        let export = console
            .open(
                "replay",
                &job,
                &clock,
                &context.stop,
                &beginning,
                observer.run_id(),
            )
            .await?;
        let (summary, lake) = console
            .replay("replay", &job, export, &scope, answers)
            .await?;
        console.report("replay", &job, summary, lake).await
    };
    let ended = Box::pin(ended).await;
    console
        .end(ended, observer, &clock, &job, context.out)
        .await
}

/// The account and host of saved responses, from settings only: responses do not contain their
/// account. Defaults are not filled in; only explicit settings are compared with the lake.
fn claim(job: &Job, env: &Environment, accepts: bool) -> Claim {
    let default = setting("api.base_url").default_words();
    let is_default = default
        .parse()
        .is_ok_and(|default: Url| default == job.api.base_url);
    let host = host_of(&job.api.base_url).filter(|_| !is_default);
    let key = env.get(APP_KEY).ok().flatten();
    Claim {
        host,
        app_key: key.map(|key| Secret::new(key.to_owned())),
        fills: false,
        ..Claim::of(job, accepts)
    }
}

/// How each bucket of these names is reached.
fn places(
    named: &[NamedAnswer],
    context: &Context<'_>,
) -> Result<BTreeMap<String, ObjectPlace>, Error> {
    let mut places = BTreeMap::new();
    for named in named {
        if let Some((bucket, _)) = bucket_and_key(&named.path)
            && !places.contains_key(bucket)
        {
            let place = load_object_place(bucket, &context.flags, &context.env)?;
            places.insert(bucket.to_owned(), place);
        }
    }
    Ok(places)
}

/// The given names, with `-` replaced by the list on standard input.
fn named(files: &[PathBuf]) -> Result<Vec<NamedAnswer>, ReplayInputError> {
    let mut named = Vec::new();
    for file in files {
        if file.as_os_str() != "-" {
            named.push(file.clone().into());
            continue;
        }
        listed(&mut std::io::stdin().lock(), &mut named)?;
    }
    Ok(named)
}

/// The names of a list. Each file must exist: input that is not a list of names, such as a response,
/// fails at its first line.
fn listed(list: &mut impl BufRead, named: &mut Vec<NamedAnswer>) -> Result<(), ReplayInputError> {
    let unreadable = |source| ReplayInputError::Unreadable {
        path: PathBuf::from("-"),
        source,
    };
    let mut lines = Lines::new(list);
    while let Some((line, name)) = lines.next().map_err(unreadable)? {
        if name.trim_ascii().is_empty() {
            continue;
        }
        let bytes = name.len();
        if bytes > MAX_LINE {
            return Err(ReplayInputError::LongLine { line });
        }
        let path = path(name);
        if bucket_and_key(&path).is_none() {
            std::fs::metadata(&path).map_err(|source| ReplayInputError::Line {
                line,
                bytes,
                source,
            })?;
        }
        named.push(NamedAnswer {
            path,
            is_listed: true,
        });
    }
    Ok(())
}

#[cfg(unix)]
fn path(name: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(name).into()
}

#[cfg(not(unix))]
fn path(name: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&name).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(list: &str) -> String {
        let mut named = Vec::new();
        let error = listed(&mut list.as_bytes(), &mut named).expect_err("no list of names");
        error.to_string()
    }

    #[test]
    fn an_answer_where_a_list_of_names_belongs_is_not_quoted() {
        for answer in [
            "{\"data\": {\"CalleeName\": \"MARK\"}}".to_owned(),
            "Cargo.toml\n\n  \"CalleeName\": \"MARK\",\n".to_owned(),
            format!("{{\"MARK\": \"{}\"}}", "x".repeat(100_000)),
        ] {
            let said = refused(&answer);
            assert!(!said.contains("MARK") && said.contains("line "), "{said}");
        }
        assert!(
            refused("Cargo.toml\n\nnot/there\n").contains("line 3 of standard input (9 bytes)")
        );
    }
}
