//! `ClickHouse`. It has no transactions: rows go, rows come, and the sequence is written last. A load
//! that was killed is run again; until then rows of its tasks may be missing.

use std::collections::BTreeMap;

use super::plan::{LoadFile, LoadPlan, Scope, TableLoad};
use super::product::{Helper, Product, added_columns, gap, said, said_of_table};
use super::words::{self, Names};
use crate::schema::{Column, ColumnType, Table};

pub(super) struct ClickHouse;

impl Product for ClickHouse {
    fn name(&self) -> &'static str {
        "ClickHouse"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run it with: clickhouse-client --multiquery < load.sql",
            "One load of a lake at a time: there is no transaction. Files of a disk must be below user_files_path.",
        ]
    }

    fn quote(&self) -> char {
        '`'
    }

    fn literal(&self, text: &str) -> String {
        words::escaped(text)
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "String",
            ColumnType::Int32 => "Int32",
            ColumnType::Int64 => "Int64",
            ColumnType::Decimal => "Decimal(20, 4)",
            ColumnType::Timestamp => "DateTime64(6, 'UTC')",
            // `Date` begins in 1970.
            ColumnType::Date32 => "Date32",
        }
    }

    fn nullable_type(&self, column_type: ColumnType) -> String {
        format!("Nullable({})", self.column_type(column_type))
    }

    fn date(&self, date: Option<chrono::NaiveDate>) -> String {
        match date {
            Some(date) => format!("toDate32('{date}')"),
            None => "CAST(NULL AS Nullable(Date32))".to_owned(),
        }
    }

    fn now(&self) -> &'static str {
        "now64(6, 'UTC')"
    }

    fn create_schema(&self, names: &Names) -> String {
        format!(
            "CREATE DATABASE IF NOT EXISTS {}",
            names.schema(self.quote())
        )
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let typed = |column: &Column| {
            if column.nullable {
                self.nullable_type(column.data_type)
            } else {
                self.column_type(column.data_type).to_owned()
            }
        };
        let described = |name: &str, of_type: &str, text: &str| {
            format!(
                "{} {of_type} COMMENT {}",
                self.ident(name),
                self.literal(text)
            )
        };
        let lines = table.columns.iter();
        let lines = lines.map(|one| described(&one.name, &typed(one), &said(one)));
        let partition = table.name.partition_column();
        let date = self.nullable_type(ColumnType::Date32);
        let last = described(partition, &date, &table.partition_description);
        let lines: Vec<String> = lines
            .chain([last])
            .map(|line| format!("  {line}"))
            .collect();
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n) ENGINE = MergeTree ORDER BY ({}) COMMENT {}",
            lines.join(",\n"),
            table.key.join(", "),
            self.literal(&said_of_table(table)),
        );
        let add = added_columns(table, |one| {
            let line = described(&one.name, &typed(one), &said(one));
            format!("ADD COLUMN IF NOT EXISTS {line}")
        });
        vec![create, format!("ALTER TABLE {place} {}", add.join(", "))]
    }

    fn create_loaded(&self, names: &Names) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (lake String, sequence Int64, loaded_at DateTime64(6, 'UTC')) \
             ENGINE = ReplacingMergeTree(sequence) ORDER BY lake",
            self.loaded(names)
        )
    }

    fn helper(&self, names: &Names, helper: Helper) -> String {
        self.table(names, &helper.name())
    }

    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        let place = self.helper(names, helper);
        let columns = self.helper_columns(helper);
        vec![
            self.drop_helper(names, helper),
            format!("CREATE TABLE {place} ({columns}) ENGINE = MergeTree ORDER BY tuple()"),
        ]
    }

    fn drop_helper(&self, names: &Names, helper: Helper) -> String {
        format!("DROP TABLE IF EXISTS {} SYNC", self.helper(names, helper))
    }

    fn begin_lake(&self, _: &Names, _: &LoadPlan) -> String {
        // No row is as good as one of commit 0.
        String::new()
    }

    fn claim(&self, _: &Names, _: &LoadPlan) -> Option<String> {
        None
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "SELECT throwIf(coalesce(max(sequence), 0) < {}, {}) FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&gap(plan)),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    fn find_due(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "INSERT INTO {} SELECT 1 FROM (SELECT coalesce(max(sequence), 0) AS loaded FROM {} WHERE lake = {}) \
             WHERE loaded >= {} AND loaded < {}",
            self.helper(names, Helper::Due),
            self.loaded(names),
            self.literal(&plan.lake),
            plan.since,
            plan.through,
        )
    }

    fn set_loaded(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "INSERT INTO {} (lake, sequence, loaded_at) SELECT {}, {}, {} FROM {}",
            self.loaded(names),
            self.literal(&plan.lake),
            plan.through,
            self.now(),
            self.helper(names, Helper::Due),
        )
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let days = load.by_day().into_iter();
        let columns = self.columns(load.table);
        let (partition, of_file) = columns.split_last().expect("a partition column");
        let rows = match plan.scope {
            Scope::Tasks(_) => {
                format!(
                    " WHERE task_id IN (SELECT task_id FROM {})",
                    self.helper(names, Helper::Tasks)
                )
            }
            _ => String::new(),
        };
        days.map(|(date, files)| {
            format!(
                "INSERT INTO {} ({}, {partition}) SELECT {}, {} FROM {}{rows} \
                 SETTINGS use_hive_partitioning = 0",
                self.helper(names, Helper::Stage(load.table)),
                of_file.join(", "),
                of_file.join(", "),
                self.date(date),
                self.source(plan, &files),
            )
        })
        .collect()
    }

    fn transaction(&self) -> Option<[&'static str; 2]> {
        None
    }
}

impl ClickHouse {
    /// The table function that reads the files of one folder.
    fn source(&self, plan: &LoadPlan, files: &[&LoadFile]) -> String {
        let mut folders = BTreeMap::<&str, Vec<&str>>::new();
        for file in files {
            let (folder, name) = file.key.rsplit_once('/').unwrap_or(("", &file.key));
            let name = name.trim_end_matches(".parquet");
            folders.entry(folder).or_default().push(name);
        }
        let (folder, names) = folders
            .pop_first()
            .expect("files of one day are in one folder");
        let names = match names.as_slice() {
            [name] => (*name).to_owned(),
            names => format!("{{{}}}", names.join(",")),
        };
        let root = plan.root.trim_end_matches('/');
        let path = format!("{root}/{folder}/{names}.parquet");
        let (function, path) = match path.strip_prefix("gs://") {
            Some(path) => ("gcs", format!("https://storage.googleapis.com/{path}")),
            None if plan.is_local => ("file", path),
            None => ("s3", path),
        };
        format!("{function}({}, 'Parquet')", self.literal(&path))
    }
}
