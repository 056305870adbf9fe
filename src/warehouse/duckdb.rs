//! A `DuckDB` database.

use super::plan::{LoadPlan, Scope, TableLoad};
use super::product::{Helper, Product, added_columns, column_lines, comments, gap};
use super::words::Names;
use crate::schema::{ColumnType, Table};

pub(super) struct DuckDb;

impl Product for DuckDb {
    fn name(&self) -> &'static str {
        "DuckDB"
    }

    fn how(&self) -> &'static [&'static str] {
        &["Run it with: duckdb warehouse.db < load.sql"]
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "VARCHAR",
            ColumnType::Int32 => "INTEGER",
            ColumnType::Int64 => "BIGINT",
            ColumnType::Decimal => "DECIMAL(20, 4)",
            ColumnType::Timestamp => "TIMESTAMPTZ",
            ColumnType::Date32 => "DATE",
        }
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        // No primary key: the index of one refuses rows that were deleted in the same transaction.
        let lines = column_lines(self, table, &|_| String::new()).join(",\n");
        let create = format!("CREATE TABLE IF NOT EXISTS {place} (\n{lines}\n)");
        let add = added_columns(table, |column| {
            format!(
                "ALTER TABLE {place} ADD COLUMN IF NOT EXISTS {} {}",
                self.ident(&column.name),
                self.column_type(column.data_type)
            )
        });
        [create].into_iter().chain(add).collect()
    }

    fn comments(&self, names: &Names, table: &Table) -> Vec<String> {
        comments(self, &self.table(names, table.name.as_str()), table)
    }

    fn stages_inside(&self) -> bool {
        true
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let stage = self.helper(names, Helper::Stage(load.table));
        vec![format!(
            "INSERT INTO {stage} {}",
            select(self, plan, load, &self.helper(names, Helper::Tasks))
        )]
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "SELECT CASE WHEN coalesce(max(sequence), 0) < {} THEN error({} || max(sequence)) ELSE 'ok' END \
             AS gap FROM {} WHERE lake = {}",
            plan.since,
            self.literal(&format!("{}: ", gap(plan))),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }
}

/// The rows of a load's files that may be wanted, read by `DuckDB`.
pub(super) fn select(
    product: &dyn Product,
    plan: &LoadPlan,
    load: &TableLoad,
    tasks: &str,
) -> String {
    let files = load
        .files
        .iter()
        .map(|file| product.literal(&no_pattern(&plan.address(file))));
    let files: Vec<String> = files.collect();
    let partition = load.table.name.partition_column();
    let rows = match plan.scope {
        Scope::Tasks(_) => format!("\nWHERE task_id IN (SELECT task_id FROM {tasks})"),
        _ => String::new(),
    };
    format!(
        "SELECT {}\nFROM read_parquet([\n  {}\n], hive_partitioning = true, \
         hive_types = {{'{partition}': DATE}}, union_by_name = true){rows}",
        product.columns(load.table).join(", "),
        files.join(",\n  "),
    )
}

/// A path in which nothing is a pattern.
fn no_pattern(path: &str) -> String {
    let mut plain = String::new();
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => plain.extend(['[', c, ']']),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_pattern() {
        assert_eq!(no_pattern("/a[1]/b*?"), "/a[[]1]/b[*][?]");
    }
}
