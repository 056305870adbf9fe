//! Databricks SQL. Each statement is a transaction of its own, so the sequence is written last. Only
//! parsed by tests.

use super::plan::{LoadPlan, TableLoad};
use super::product::{Helper, Product, column_lines, gap, said_of_table};
use super::words::{self, Names};
use crate::schema::{ColumnType, Table};

/// Files that one COPY INTO takes.
const FILES_AT_ONCE: usize = 1_000;

pub(super) struct Databricks;

impl Product for Databricks {
    fn name(&self) -> &'static str {
        "Databricks SQL"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run its statements one after the other, and stop at an error.",
            "One load of a lake at a time: there is no transaction over several statements.",
        ]
    }

    fn quote(&self) -> char {
        '`'
    }

    fn literal(&self, text: &str) -> String {
        words::escaped(text)
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        spark_type(column_type)
    }

    fn now(&self) -> &'static str {
        "current_timestamp()"
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let comment = |text: &str| format!(" COMMENT {}", self.literal(text));
        vec![format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n) USING DELTA COMMENT {}",
            column_lines(self, table, &comment).join(",\n"),
            self.literal(&said_of_table(table)),
        )]
    }

    fn helper(&self, names: &Names, helper: Helper) -> String {
        self.table(names, &helper.name())
    }

    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        // A new table each time: COPY INTO remembers which files a table has.
        let columns = self.helper_columns(helper);
        let place = self.helper(names, helper);
        vec![format!(
            "CREATE OR REPLACE TABLE {place} ({columns}) USING DELTA"
        )]
    }

    fn claim(&self, _: &Names, _: &LoadPlan) -> Option<String> {
        None
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "SELECT assert_true(coalesce(max(sequence), 0) >= {}, {}) FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&gap(plan)),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    fn counts_staged(&self) -> bool {
        true
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let place = self.helper(names, Helper::Stage(load.table));
        let columns = self.columns(load.table);
        let (partition, of_file) = columns.split_last().expect("a partition column");
        let of_file = of_file.join(", ");
        let mut copies = Vec::new();
        for (date, files) in load.by_day() {
            for files in files.chunks(FILES_AT_ONCE) {
                let (folder, _) = files[0]
                    .key
                    .rsplit_once('/')
                    .expect("a file is in a folder");
                let root = plan.root.trim_end_matches('/');
                let folder = self.literal(&format!("{root}/{folder}"));
                let names = files.iter().filter_map(|file| file.key.rsplit('/').next());
                let names: Vec<String> = names.map(|name| self.literal(name)).collect();
                // What a table was filled from is remembered with it; the stage begins empty each time.
                copies.push(format!(
                    "COPY INTO {place} FROM (SELECT {of_file}, {} AS {partition} FROM {folder}) FILEFORMAT = \
                     PARQUET FILES = ({}) COPY_OPTIONS ('force' = 'true')",
                    self.date(date),
                    names.join(", "),
                ));
            }
        }
        copies
    }

    fn transaction(&self) -> Option<[&'static str; 2]> {
        None
    }
}

pub(super) fn spark_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Utf8 | ColumnType::Json => "STRING",
        ColumnType::Int32 => "INT",
        ColumnType::Int64 => "BIGINT",
        ColumnType::Decimal => "DECIMAL(20, 4)",
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Date32 => "DATE",
    }
}
