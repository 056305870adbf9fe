//! Spark SQL, with Parquet tables, which can't delete rows: the partitions whose rows changed are
//! written anew from all their files. Only parsed by tests.

use super::databricks::spark_type;
use super::plan::{LoadFile, LoadPlan, TableLoad};
use super::product::{Product, gap, said, said_of_table};
use super::script;
use super::words::{self, Names};
use crate::schema::{Column, ColumnType, Table};
use crate::store::Partition;

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

/// Writes a partition anew.
fn replace(
    names: &Names,
    plan: &LoadPlan,
    table: &Table,
    partition: Partition,
    files: &[LoadFile],
) -> String {
    let place = Spark.table(names, table.name.as_str());
    let column = table.name.partition_column();
    let value = partition
        .date()
        .map_or_else(|| "NULL".to_owned(), |day| format!("DATE '{day}'"));
    if files.is_empty() {
        return format!("ALTER TABLE {place} DROP IF EXISTS PARTITION ({column} = {value})");
    }
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|one| Spark.ident(&one.name))
        .collect();
    let columns = columns.join(", ");
    let rows = files.iter().map(|file| {
        let address = plan.address(file).replace('`', "``");
        format!("SELECT {columns} FROM parquet.`{address}`")
    });
    let rows: Vec<String> = rows.collect();
    format!(
        "INSERT OVERWRITE TABLE {place} PARTITION ({column} = {value}) {}",
        rows.join(" UNION ALL ")
    )
}
