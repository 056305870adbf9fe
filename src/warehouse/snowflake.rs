//! Snowflake, from an external stage at the lake's root. Only parsed by tests.

use super::plan::{LoadPlan, TableLoad};
use super::product::{Helper, Product, added_columns, column_lines, said_of_table};
use super::words::{self, Names};
use crate::schema::{ColumnType, Table};

/// Files that one COPY takes.
const FILES_AT_ONCE: usize = 1_000;

pub(super) struct Snowflake;

impl Product for Snowflake {
    fn name(&self) -> &'static str {
        "Snowflake"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run it with: snow sql -f load.sql",
            "The stage (--stage) is an external one whose address is the root of the lake.",
        ]
    }

    fn literal(&self, text: &str) -> String {
        words::escaped(text)
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "VARCHAR",
            ColumnType::Int32 => "INTEGER",
            ColumnType::Int64 => "BIGINT",
            ColumnType::Decimal => "NUMBER(20, 4)",
            ColumnType::Timestamp => "TIMESTAMP_LTZ(6)",
            ColumnType::Date32 => "DATE",
        }
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP()"
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let comment = |text: &str| format!(" COMMENT {}", self.literal(text));
        let mut lines = column_lines(self, table, &comment);
        lines.push(format!("  PRIMARY KEY ({})", table.key.join(", ")));
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n) COMMENT = {}",
            lines.join(",\n"),
            self.literal(&said_of_table(table)),
        );
        let add = added_columns(table, |column| {
            let (name, of_type) = (self.ident(&column.name), self.column_type(column.data_type));
            format!("ALTER TABLE {place} ADD COLUMN IF NOT EXISTS {name} {of_type}")
        });
        [create].into_iter().chain(add).collect()
    }

    fn helper(&self, names: &Names, helper: Helper) -> String {
        self.table(names, &helper.name())
    }

    fn counts_staged(&self) -> bool {
        true
    }

    fn stage(&self, names: &Names, _: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let place = self.helper(names, Helper::Stage(load.table));
        let columns = self.columns(load.table).join(", ");
        let values = load.table.columns.iter().map(|column| {
            format!(
                "$1:{}::{}",
                self.ident(&column.name),
                self.column_type(column.data_type)
            )
        });
        let values: Vec<String> = values.collect();
        let stage = names.stage().unwrap_or("airudder_lake");
        let mut copies = Vec::new();
        for (date, files) in load.by_day() {
            for files in files.chunks(FILES_AT_ONCE) {
                let files: Vec<String> = files.iter().map(|file| self.literal(&file.key)).collect();
                copies.push(format!(
                    "COPY INTO {place} ({columns}) FROM (SELECT {}, {}::DATE FROM @{stage}) FILES = ({}) \
                     FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE) FORCE = TRUE",
                    values.join(", "),
                    date.map_or_else(|| "NULL".to_owned(), |date| format!("'{date}'")),
                    files.join(", "),
                ));
            }
        }
        copies
    }
}
