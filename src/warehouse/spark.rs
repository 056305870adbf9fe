//! Spark SQL, with Parquet tables, which can't delete rows: the partitions whose rows changed are
//! written anew from all their files.

use super::databricks::spark_type;
use super::plan::{LoadFile, LoadPlan, TableLoad};
use super::product::{Product, gap, said, said_of_table};
use super::script;
use super::words::{self, Names};
use crate::schema::{Column, ColumnType, Table};
use crate::store::Partition;

/// Files in one statement that checks them.
const FILES_AT_ONCE: usize = 100;

pub(super) struct Spark;

impl Product for Spark {
    fn name(&self) -> &'static str {
        "Spark SQL"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run it with: spark-sql -f load.sql",
            "One load of a lake at a time: each partition is replaced by itself.",
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
        let line = |name: &str, of_type: &str, text: &str| {
            format!(
                "  {} {of_type} COMMENT {}",
                self.ident(name),
                self.literal(text)
            )
        };
        let column = |one: &Column| line(&one.name, spark_type(one.data_type), &said(one));
        let partition = table.name.partition_column();
        let last = line(partition, "DATE", &table.partition_description);
        let lines: Vec<String> = table.columns.iter().map(column).chain([last]).collect();
        vec![format!(
            "CREATE TABLE IF NOT EXISTS {} (\n{}\n) USING PARQUET PARTITIONED BY ({partition}) COMMENT {}",
            self.table(names, table.name.as_str()),
            lines.join(",\n"),
            self.literal(&said_of_table(table)),
        )]
    }

    fn create_loaded(&self, names: &Names) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (lake STRING, sequence BIGINT, loaded_at TIMESTAMP) USING PARQUET",
            self.loaded(names)
        )
    }

    fn stage(&self, _: &Names, _: &LoadPlan, _: &TableLoad) -> Vec<String> {
        Vec::new()
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        let later = format!(
            "commit {} was loaded, and a later one, too: nothing is to be done",
            plan.through
        );
        format!(
            "SELECT assert_true(coalesce(max(sequence), 0) >= {}, {}), \
             assert_true(coalesce(max(sequence), 0) <= {}, {}) FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&gap(plan)),
            plan.through,
            self.literal(&later),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    fn set_loaded(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "INSERT INTO {} VALUES ({}, {}, current_timestamp())",
            self.loaded(names),
            self.literal(&plan.lake),
            plan.through,
        )
    }

    fn transaction(&self) -> Option<[&'static str; 2]> {
        None
    }
}

/// The text.
pub(super) fn load(names: &Names, plan: &LoadPlan) -> String {
    let product = &Spark;
    let mut statements = vec![product.create_schema(names)];
    for load in &plan.tables {
        statements.extend(product.create_table(names, load.table));
    }
    statements.push(product.create_loaded(names));
    if plan.moves_on() {
        statements.push(product.guard(names, plan));
    }
    // There is no transaction: before the first partition is written, all files must be there.
    for load in &plan.tables {
        let files: Vec<&LoadFile> = load.partitions.values().flatten().collect();
        statements.extend(files.chunks(FILES_AT_ONCE).map(|files| check(plan, files)));
    }
    for load in &plan.tables {
        for (partition, files) in &load.partitions {
            statements.push(replace(names, plan, load.table, *partition, files));
        }
    }
    if plan.moves_on() {
        statements.push(product.set_loaded(names, plan));
    }
    script::heading(product, plan) + &script::statements(&statements)
}

/// Fails if a file is gone or has other rows than the commit log says.
fn check(plan: &LoadPlan, files: &[&LoadFile]) -> String {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let counted = files
        .iter()
        .map(|file| format!("SELECT 1 FROM {}", place(plan, file)));
    let counted: Vec<String> = counted.collect();
    format!(
        "SELECT assert_true(count(*) = {rows}, {}) FROM ({})",
        Spark.literal("files of this load have changed: print the load again"),
        counted.join(" UNION ALL ")
    )
}

/// A file as a table.
fn place(plan: &LoadPlan, file: &LoadFile) -> String {
    format!("parquet.`{}`", plan.address(file).replace('`', "``"))
}

/// Writes a partition anew.
fn replace(
    names: &Names,
    plan: &LoadPlan,
    table: &Table,
    partition: Partition,
    files: &[LoadFile],
) -> String {
    let table_name = Spark.table(names, table.name.as_str());
    let column = table.name.partition_column();
    let value = partition
        .date()
        .map_or_else(|| "NULL".to_owned(), |day| format!("DATE '{day}'"));
    if files.is_empty() {
        return format!("ALTER TABLE {table_name} DROP IF EXISTS PARTITION ({column} = {value})");
    }
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|one| Spark.ident(&one.name))
        .collect();
    let columns = columns.join(", ");
    let rows = files
        .iter()
        .map(|file| format!("SELECT {columns} FROM {}", place(plan, file)));
    let rows: Vec<String> = rows.collect();
    format!(
        "INSERT OVERWRITE TABLE {table_name} PARTITION ({column} = {value}) {}",
        rows.join(" UNION ALL ")
    )
}
