//! The `schema` command: prints the tables.

use std::io::{self, Write};

use chrono_tz::Tz;
use clap::{Args, ValueEnum};

use super::load::dialect;
use super::output::deliver;
use super::table::table_name;
use crate::exit_code::ExitCode;
use crate::schema::{TableName, formats, render};
use crate::warehouse::{self, Dialect, NameError, Names};

/// Arguments of `schema`: which tables, and in which format.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaArgs {
    /// Print only this table
    #[arg(value_parser = table_name())]
    pub table: Option<TableName>,
    /// How they are printed
    #[arg(long, value_enum, value_name = "WORD", default_value_t)]
    pub format: SchemaFormat,
    /// The statements that create the tables in a warehouse, instead
    #[arg(long, value_name = "DIALECT", value_parser = dialect(), conflicts_with = "format", group = "warehouse")]
    pub ddl: Option<Dialect>,
    /// The analyst's models as views over the tables in a warehouse, instead
    ///
    /// In DuckDB they read the lake's files: set the variables `lake` and `source_timezone` before.
    /// The models are those of the dbt package in jobs/dbt.
    #[arg(long, value_name = "DIALECT", value_parser = dialect(), conflicts_with_all = ["format", "table"], group = "warehouse")]
    pub views: Option<Dialect>,
    /// With --ddl or --views: the schema (database, dataset) of the tables in the warehouse
    #[arg(
        long,
        value_name = "NAME",
        default_value = "airudder",
        requires = "warehouse"
    )]
    pub schema: String,
    /// With --views: the time zone of the account's local times [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "views")]
    pub source_timezone: Option<Tz>,
}

/// Why the tables could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The name of the schema.
    #[error("name the tables: {0}")]
    Name(#[from] NameError),
    /// The models were not made for it.
    #[error("there are no views for {0}: load the tables, and use the dbt package in jobs/dbt")]
    NoViews(&'static str),
    /// Standard output cannot be written.
    #[error("write to standard output")]
    Output(#[from] io::Error),
}

impl SchemaError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Name(_) | Self::NoViews(_) => ExitCode::Usage,
            Self::Output(_) => ExitCode::Destination,
        }
    }
}

/// How tables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// For people, in a terminal
    #[default]
    Text,
    /// For documentation
    Markdown,
    /// The Arrow schema as JSON, for programs
    ArrowJson,
    /// A data contract (ODCS 3.1, YAML): descriptions, keys, classification, quality, freshness
    Odcs,
    /// A Data Package v2 (Frictionless); `files --format datapackage` has files and hashes
    Datapackage,
    /// Sources of dbt (sources.yml) with tests and freshness
    Dbt,
    /// JSON Schema of the rows
    JsonSchema,
}

/// Prints one table or all of them.
///
/// # Errors
///
/// When `out` cannot be written, or the schema's name can't be used.
pub fn run(args: &SchemaArgs, out: &mut impl Write) -> Result<(), SchemaError> {
    let one = args.table.as_slice();
    let names = if one.is_empty() {
        TableName::ALL.as_slice()
    } else {
        one
    };
    if let Some(dialect) = args.ddl {
        let text = warehouse::ddl(dialect, &Names::new(&args.schema, None)?, names);
        deliver(out, |out| out.write_all(text.as_bytes()))?;
        return Ok(());
    }
    if let Some(dialect) = args.views {
        let names = Names::new(&args.schema, None)?;
        let text = warehouse::views(dialect, &names, args.source_timezone.unwrap_or(Tz::UTC));
        let text = text.ok_or(SchemaError::NoViews(dialect.as_str()))?;
        deliver(out, |out| out.write_all(text.as_bytes()))?;
        return Ok(());
    }
    deliver(out, |out| match args.format {
        SchemaFormat::Text => out.write_all(render::text(names).as_bytes()),
        SchemaFormat::Markdown => out.write_all(render::markdown(names).as_bytes()),
        SchemaFormat::Odcs => out.write_all(formats::odcs(names).as_bytes()),
        SchemaFormat::Dbt => out.write_all(formats::dbt(names).as_bytes()),
        SchemaFormat::ArrowJson => json(out, &render::arrow_json(names)),
        SchemaFormat::Datapackage => json(out, &formats::data_package(names)),
        SchemaFormat::JsonSchema => json(out, &formats::json_schema(names)),
    })?;
    Ok(())
}

fn json(out: &mut impl Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn printed(table: Option<TableName>, format: SchemaFormat) -> String {
        let mut out = Vec::new();
        let args = SchemaArgs {
            table,
            format,
            schema: "airudder".to_owned(),
            ..SchemaArgs::default()
        };
        run(&args, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    fn documentation() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tables.md")
    }

    #[test]
    fn the_documentation_of_the_tables_is_what_the_command_prints() {
        let text = fs::read_to_string(documentation()).expect("docs/tables.md is there");
        assert!(
            text == printed(None, SchemaFormat::Markdown),
            "docs/tables.md is behind schemas/; run\n  cargo test --lib -- --ignored \
             write_the_documentation_of_the_tables"
        );
    }

    #[test]
    #[ignore = "writes docs/tables.md"]
    fn write_the_documentation_of_the_tables() {
        fs::write(documentation(), printed(None, SchemaFormat::Markdown)).expect("written");
    }

    #[test]
    fn one_table_is_printed_alone() {
        let text = printed(Some(TableName::Redials), SchemaFormat::Text);
        assert!(text.starts_with("redials — "), "{text}");
        assert!(!text.contains("asr_turns — "), "{text}");
    }

    #[test]
    fn a_table_in_markdown_has_five_cells_in_every_row() {
        let text = printed(None, SchemaFormat::Markdown);
        for row in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(row.matches('|').count(), 6, "{row}");
        }
    }

    #[test]
    fn arrow_json_names_every_table() {
        let json: serde_json::Value =
            serde_json::from_str(&printed(None, SchemaFormat::ArrowJson)).expect("it is JSON");
        for table in TableName::ALL {
            assert!(json[table.as_str()]["fields"].is_array(), "{table}");
        }
    }
}
