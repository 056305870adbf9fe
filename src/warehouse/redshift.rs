//! Amazon Redshift. COPY of Parquet goes by position and knows no path columns, so each file is
//! copied to a table of its columns, and the date is added on the way on. Only parsed by tests.

use super::plan::{LoadPlan, TableLoad};
use super::product::{Helper, Product, column_lines, comments};
use super::words::Names;
use crate::schema::{ColumnType, Table};

pub(super) struct Redshift;

impl Product for Redshift {
    fn name(&self) -> &'static str {
        "Amazon Redshift"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run it in one session: psql -v ON_ERROR_STOP=1 -f load.sql",
            "The cluster's default IAM role must be allowed to read the bucket.",
        ]
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "VARCHAR(65535)",
            ColumnType::Int32 => "INTEGER",
            ColumnType::Int64 => "BIGINT",
            ColumnType::Decimal => "DECIMAL(20, 4)",
            // In UTC: COPY of Parquet fills no other.
            ColumnType::Timestamp => "TIMESTAMP",
            ColumnType::Date32 => "DATE",
        }
    }

    fn now(&self) -> &'static str {
        "GETDATE()"
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let mut lines = column_lines(self, table, &|_| String::new());
        let key = table.key.join(", ");
        lines.push(format!("  PRIMARY KEY ({key})"));
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n) DISTKEY (task_id) SORTKEY ({}, {key})",
            lines.join(",\n"),
            table.name.partition_column(),
        );
        vec![create]
    }

    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        let place = self.helper(names, helper);
        let columns = self.helper_columns(helper);
        let mut statements = vec![
            self.drop_helper(names, helper),
            format!("CREATE TEMP TABLE {place} ({columns})"),
        ];
        if let Helper::Stage(_) = helper {
            // The last column is the partition's.
            let (of_file, _) = columns.rsplit_once(", ").expect("more than one column");
            statements.push(format!("DROP TABLE IF EXISTS {place}_file"));
            statements.push(format!("CREATE TEMP TABLE {place}_file ({of_file})"));
        }
        statements
    }

    fn comments(&self, names: &Names, table: &Table) -> Vec<String> {
        comments(self, &self.table(names, table.name.as_str()), table)
    }

    fn stages_inside(&self) -> bool {
        true
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let place = self.helper(names, Helper::Stage(load.table));
        let columns = self.columns(load.table);
        let (partition, of_file) = columns.split_last().expect("a partition column");
        let of_file = of_file.join(", ");
        let mut statements = Vec::new();
        for (date, files) in load.by_day() {
            // A COPY takes all keys that begin with the one named: of a whole name, that file.
            statements.extend(files.into_iter().map(|file| {
                let address = self.literal(&plan.address(file));
                format!("COPY {place}_file FROM {address} IAM_ROLE default FORMAT AS PARQUET")
            }));
            statements.push(format!(
                "INSERT INTO {place} ({of_file}, {partition}) SELECT {of_file}, {} FROM {place}_file",
                self.date(date)
            ));
            statements.push(format!("DELETE FROM {place}_file"));
        }
        statements
    }
}
