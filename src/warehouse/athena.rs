//! Amazon Athena. The lake can be queried where it is, through tables with partition projection
//! (`lake_calls`, …); a load fills Iceberg tables (`calls`, …), which see one state of the lake and no
//! part of a commit. Athena takes one statement at a time. Only parsed by tests.

use super::plan::{LoadPlan, TableLoad};
use super::product::{Helper, Product, gap, said, said_of_table};
use super::words::{self, Names};
use crate::schema::{Column, ColumnType, Table};

pub(super) struct Athena;

impl Product for Athena {
    fn name(&self) -> &'static str {
        "Amazon Athena"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run its statements one after the other, and stop at an error.",
            "One load of a lake at a time: there is no transaction over several statements.",
            "--stage is the address where the Iceberg tables are kept.",
        ]
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "string",
            ColumnType::Int32 => "int",
            ColumnType::Int64 => "bigint",
            ColumnType::Decimal => "decimal(20, 4)",
            ColumnType::Timestamp => "timestamp",
            ColumnType::Date32 => "date",
        }
    }

    fn now(&self) -> &'static str {
        "CAST(CURRENT_TIMESTAMP AS timestamp)"
    }

    fn create_schema(&self, names: &Names) -> String {
        format!("CREATE DATABASE IF NOT EXISTS {}", names.schema('`'))
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let partition = table.name.partition_column();
        let root = format!("{}/{}", names.root(), table.name);
        let comment = words::escaped(&said_of_table(table));
        let outside = format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS {} (\n{}\n) COMMENT {comment} PARTITIONED BY ({partition} date \
             COMMENT {}) STORED AS PARQUET LOCATION {} TBLPROPERTIES ('projection.enabled' = 'true', \
             'projection.{partition}.type' = 'date', 'projection.{partition}.format' = 'yyyy-MM-dd', \
             'projection.{partition}.range' = '2020-01-01,NOW+1DAYS', 'storage.location.template' = {})",
            place(names, &format!("lake_{}", table.name)),
            lines(table, None),
            words::escaped(&table.partition_description),
            words::escaped(&format!("{root}/")),
            words::escaped(&format!("{root}/{partition}=${{{partition}}}/")),
        );
        let inside = format!(
            "CREATE TABLE IF NOT EXISTS {} (\n{}\n) COMMENT {comment} PARTITIONED BY ({partition}) LOCATION {} \
             TBLPROPERTIES ('table_type' = 'ICEBERG')",
            place(names, table.name.as_str()),
            lines(table, Some(partition)),
            words::escaped(&kept(names, table.name.as_str())),
        );
        vec![outside, inside]
    }

    fn create_loaded(&self, names: &Names) -> String {
        iceberg(
            names,
            "airudder_loaded",
            "lake string, sequence bigint, loaded_at timestamp",
        )
    }

    fn helper(&self, names: &Names, helper: Helper) -> String {
        self.table(names, &helper.name())
    }

    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        let columns = self.helper_columns(helper);
        match helper {
            // The files themselves, whatever their partition.
            Helper::Stage(table) => vec![
                self.drop_helper(names, helper),
                format!(
                    "CREATE EXTERNAL TABLE IF NOT EXISTS {} (\n{}\n) STORED AS PARQUET LOCATION {}",
                    place(names, &helper.name()),
                    lines(table, None),
                    words::escaped(&format!("{}/{}/", names.root(), table.name)),
                ),
            ],
            // Emptied, not created again: what was kept there would be in the way.
            _ => vec![
                iceberg(names, &helper.name(), &columns),
                format!("DELETE FROM {}", self.helper(names, helper)),
            ],
        }
    }

    fn drop_helper(&self, names: &Names, helper: Helper) -> String {
        match helper {
            Helper::Stage(_) => format!("DROP TABLE IF EXISTS {}", place(names, &helper.name())),
            _ => format!("DELETE FROM {}", self.helper(names, helper)),
        }
    }

    fn claim(&self, _: &Names, _: &LoadPlan) -> Option<String> {
        None
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "SELECT CASE WHEN coalesce(max(sequence), 0) < {} THEN CAST({} || CAST(max(sequence) AS varchar) AS \
             bigint) END AS gap FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&format!("{}: ", gap(plan))),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    fn stage(&self, _: &Names, _: &LoadPlan, _: &TableLoad) -> Vec<String> {
        Vec::new()
    }

    fn insert(&self, names: &Names, plan: &LoadPlan, table: &'static Table) -> String {
        let columns = self.columns(table);
        let (partition, of_file) = columns.split_last().expect("a partition column");
        let of_file = of_file.join(", ");
        let load = plan
            .tables
            .iter()
            .find(|load| load.table.name == table.name);
        let files = load.into_iter().flat_map(|load| &load.files);
        let files: Vec<String> = files
            .map(|file| self.literal(&plan.address(file)))
            .collect();
        let day =
            format!("TRY(CAST(regexp_extract(\"$path\", '/{partition}=([^/]+)/', 1) AS date))");
        // Of days all rows of their files come, and the files are of those days alone.
        let rows = if plan.moves_on() {
            format!(" AND {}", self.rows(names, plan, table))
        } else {
            String::new()
        };
        format!(
            "INSERT INTO {} ({of_file}, {partition}) SELECT {of_file}, {day} FROM {} WHERE \"$path\" IN ({}){rows}",
            self.table(names, table.name.as_str()),
            self.helper(names, Helper::Stage(table)),
            files.join(", "),
        )
    }

    fn transaction(&self) -> Option<[&'static str; 2]> {
        None
    }
}

/// A table as Hive's part of Athena takes it.
fn place(names: &Names, table: &str) -> String {
    format!("{}.`{table}`", names.schema('`'))
}

/// Where an Iceberg table is kept.
fn kept(names: &Names, table: &str) -> String {
    let beside = format!("{}-athena", names.root());
    format!("{}/{table}/", names.stage().unwrap_or(&beside))
}

fn iceberg(names: &Names, table: &str, columns: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({columns}) LOCATION {} TBLPROPERTIES ('table_type' = 'ICEBERG')",
        place(names, table),
        words::escaped(&kept(names, table)),
    )
}

fn lines(table: &Table, partition: Option<&str>) -> String {
    let line = |name: &str, of_type: &str, text: &str| {
        format!("  `{name}` {of_type} COMMENT {}", words::escaped(text))
    };
    let column = |column: &Column| {
        line(
            &column.name,
            Athena.column_type(column.data_type),
            &said(column),
        )
    };
    let last = partition.map(|name| line(name, "date", &table.partition_description));
    let lines: Vec<String> = table.columns.iter().map(column).chain(last).collect();
    lines.join(",\n")
}
