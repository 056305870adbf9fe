//! The `init` command: writes a job file and, beside it, its JSON Schema for editors.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::error::Error;
use crate::job::schema::json_schema;
use crate::job::template::{SCHEMA_FILE, short_template, template};

/// Arguments of `init`: the job file to write.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct InitArgs {
    /// Path of the file; - is standard output
    #[arg(value_name = "FILE", default_value = "airudder.toml", value_hint = ValueHint::FilePath)]
    pub path: PathBuf,
    /// Every key, with its default and meaning
    #[arg(long)]
    pub all: bool,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
    /// Print the JSON Schema of the job file, and write nothing
    ///
    /// Editors with a TOML language server (taplo, tombi, Even Better TOML) complete and check a job
    /// file whose first line names it: `#:schema ./airudder.schema.json`. check-jsonschema checks it
    /// in CI. `init` writes it beside the job file; print it again after an update.
    #[arg(long, conflicts_with_all = ["path", "all", "force"])]
    pub schema: bool,
}

/// Writes the job file and prints how to use it.
///
/// # Errors
///
/// When the file exists already (and `--force` is not given) or cannot be written.
pub fn run(args: &InitArgs, out: &mut impl Write) -> Result<(), Error> {
    let InitArgs {
        path,
        all,
        force,
        schema,
    } = args;
    if *schema {
        return out
            .write_all(schema_text().as_bytes())
            .map_err(Error::Output);
    }
    let text = if *all { template() } else { short_template() };
    if path.as_os_str() == "-" {
        return out.write_all(text.as_bytes()).map_err(Error::Output);
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if *force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(path.clone()),
            _ => Error::Write {
                path: path.clone(),
                source,
            },
        })?;
    let beside = path.with_file_name(SCHEMA_FILE);
    let wrote = if write_schema(&beside)? {
        format!(" and, for editors, {}", beside.display())
    } else {
        String::new()
    };
    let path = path.display();
    write!(
        out,
        "wrote {path}{wrote}\n\n\
         Next: set AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET, edit the file, and\n  \
         airudder-export doctor --job {path}\n"
    )
    .map_err(Error::Output)
}

fn schema_text() -> String {
    format!("{:#}\n", json_schema())
}

/// Writes the schema, also over that of an earlier version; a file that is something else stays.
fn write_schema(path: &Path) -> Result<bool, Error> {
    let text = schema_text();
    let title = json_schema()["title"].to_string();
    if std::fs::read_to_string(path).is_ok_and(|found| !found.contains(&title)) {
        return Ok(false);
    }
    std::fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::exit_code::ExitCode;

    #[test]
    fn it_writes_the_template_and_says_what_comes_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job.toml");
        let mut out = Vec::new();
        run(
            &InitArgs {
                path: path.clone(),
                ..InitArgs::default()
            },
            &mut out,
        )
        .expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), short_template());
        let out = String::from_utf8(out).expect("text");
        let schema = fs::read_to_string(folder.path().join(SCHEMA_FILE)).expect("there");
        assert_eq!(schema, schema_text());
        assert!(
            out.contains(&format!("doctor --job {}", path.display())),
            "{out}"
        );
    }

    #[test]
    fn it_writes_over_nothing_unless_forced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job.toml");
        fs::write(&path, "precious").expect("written");
        let error = run(
            &InitArgs {
                path: path.clone(),
                ..InitArgs::default()
            },
            &mut io::sink(),
        )
        .expect_err("refused");
        assert!(
            error.to_string().ends_with("--force writes over it"),
            "{error}"
        );
        assert_eq!(error.exit_code(), ExitCode::Usage);
        assert_eq!(fs::read_to_string(&path).expect("there"), "precious");
        run(
            &InitArgs {
                path: path.clone(),
                all: true,
                force: true,
                schema: false,
            },
            &mut io::sink(),
        )
        .expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), template());
    }

    #[test]
    fn a_schema_of_another_kind_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let schema = folder.path().join(SCHEMA_FILE);
        fs::write(
            &schema,
            "{\"title\": \"Job file of airudder-export\", \"old\": 1}",
        )
        .expect("written");
        assert!(write_schema(&schema).expect("written"));
        assert_eq!(fs::read_to_string(&schema).expect("there"), schema_text());
        fs::write(&schema, "{}").expect("written");
        assert!(!write_schema(&schema).expect("left"));
        assert_eq!(fs::read_to_string(&schema).expect("there"), "{}");
    }

    #[test]
    fn a_dash_is_standard_output() {
        let mut out = Vec::new();
        run(
            &InitArgs {
                path: "-".into(),
                ..InitArgs::default()
            },
            &mut out,
        )
        .expect("written");
        assert_eq!(out, short_template().as_bytes());
    }
}
