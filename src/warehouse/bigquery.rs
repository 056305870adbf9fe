//! Google `BigQuery`, as one script. Only parsed by tests.

use super::plan::{LoadPlan, TableLoad};
use super::product::{Helper, Product, added_columns, column_lines, gap, said, said_of_table};
use super::words::{self, Names};
use crate::schema::{ColumnType, Table};

pub(super) struct BigQuery;

impl Product for BigQuery {
    fn name(&self) -> &'static str {
        "BigQuery"
    }

    fn how(&self) -> &'static [&'static str] {
        &["Run it as one script: bq query --use_legacy_sql=false < load.sql"]
    }

    fn quote(&self) -> char {
        '`'
    }

    fn literal(&self, text: &str) -> String {
        words::escaped(text)
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "STRING",
            ColumnType::Int32 | ColumnType::Int64 => "INT64",
            ColumnType::Decimal => "NUMERIC(20, 4)",
            ColumnType::Timestamp => "TIMESTAMP",
            ColumnType::Date32 => "DATE",
        }
    }

    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP()"
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let options = |text: &str| format!(" OPTIONS (description = {})", self.literal(text));
        let mut lines = column_lines(self, table, &options);
        lines.push(format!(
            "  PRIMARY KEY ({}) NOT ENFORCED",
            table.key.join(", ")
        ));
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n) PARTITION BY {} OPTIONS (description = {})",
            lines.join(",\n"),
            table.name.partition_column(),
            self.literal(&said_of_table(table)),
        );
        let add = added_columns(table, |column| {
            let (name, of_type) = (self.ident(&column.name), self.column_type(column.data_type));
            format!(
                "ADD COLUMN IF NOT EXISTS {name} {of_type}{}",
                options(&said(column))
            )
        });
        vec![create, format!("ALTER TABLE {place} {}", add.join(", "))]
    }

    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        let columns = self.helper_columns(helper);
        vec![format!(
            "CREATE OR REPLACE TEMP TABLE {} ({columns})",
            self.helper(names, helper)
        )]
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        // A transaction takes queries and DML; ASSERT is neither.
        format!(
            "SELECT IF(coalesce(max(sequence), 0) >= {}, 'due', ERROR({})) FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&gap(plan)),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let files = load
            .files
            .iter()
            .map(|file| self.literal(&plan.address(file)));
        let files: Vec<String> = files.collect();
        let outside = self.table(names, &format!("airudder_files_{}", load.table.name));
        let columns = self.columns(load.table);
        let (partition, of_file) = columns.split_last().expect("a partition column");
        let of_file = of_file.join(", ");
        vec![
            format!(
                "CREATE OR REPLACE EXTERNAL TABLE {outside} OPTIONS (format = 'PARQUET', uris = [{}])",
                files.join(", ")
            ),
            format!(
                "INSERT INTO {} ({of_file}, {partition}) SELECT {of_file}, SAFE.PARSE_DATE('%F', \
                 REGEXP_EXTRACT(_FILE_NAME, '/{partition}=([^/]+)/')) FROM {outside}",
                self.helper(names, Helper::Stage(load.table)),
            ),
            format!("DROP EXTERNAL TABLE {outside}"),
        ]
    }

    fn transaction(&self) -> Option<[&'static str; 2]> {
        Some(["BEGIN TRANSACTION", "COMMIT TRANSACTION"])
    }
}
