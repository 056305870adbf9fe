//! `PostgreSQL`, which reads no Parquet: `DuckDB` reads the files and writes the staging tables through
//! its `postgres` extension; everything else happens in `PostgreSQL`'s own words, the changes of one
//! load in one transaction.

use super::duckdb;
use super::plan::{LoadPlan, Scope, TableLoad};
use super::product::{Helper, Product, added_columns, column_lines, comments, gap};
use super::script::{self, Script};
use super::words::Names;
use crate::schema::{ColumnType, Table};

/// What `DuckDB` calls the attached server.
const CATALOG: &str = "warehouse";
/// The tasks, in `DuckDB`.
const LOCAL_TASKS: &str = "airudder_load_tasks";

pub(super) struct Postgres;

impl Product for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn how(&self) -> &'static [&'static str] {
        &[
            "Run it with DuckDB, which reads the files: duckdb -bail < load.sql",
            "The server is the one of PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD.",
        ]
    }

    fn column_type(&self, column_type: ColumnType) -> &'static str {
        match column_type {
            ColumnType::Utf8 | ColumnType::Json => "text",
            ColumnType::Int32 => "integer",
            ColumnType::Int64 => "bigint",
            ColumnType::Decimal => "numeric(20, 4)",
            ColumnType::Timestamp => "timestamptz",
            ColumnType::Date32 => "date",
        }
    }

    fn create_table(&self, names: &Names, table: &Table) -> Vec<String> {
        let place = self.table(names, table.name.as_str());
        let mut lines = column_lines(self, table, &|_| String::new());
        lines.push(format!("  PRIMARY KEY ({})", table.key.join(", ")));
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {place} (\n{}\n)",
            lines.join(",\n")
        );
        let add = added_columns(table, |column| {
            format!(
                "ADD COLUMN IF NOT EXISTS {} {}",
                self.ident(&column.name),
                self.column_type(column.data_type)
            )
        });
        let add = format!("ALTER TABLE {place} {}", add.join(", "));
        vec![create, add]
    }

    fn comments(&self, names: &Names, table: &Table) -> Vec<String> {
        comments(self, &self.table(names, table.name.as_str()), table)
    }

    fn create_loaded(&self, names: &Names) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (lake text PRIMARY KEY, sequence bigint NOT NULL, \
             loaded_at timestamptz)",
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
            format!("CREATE UNLOGGED TABLE {place} ({columns})"),
        ]
    }

    fn begin_lake(&self, names: &Names, plan: &LoadPlan) -> String {
        let (loaded, lake) = (self.loaded(names), self.literal(&plan.lake));
        format!(
            "INSERT INTO {loaded} (lake, sequence, loaded_at) VALUES ({lake}, 0, CURRENT_TIMESTAMP) \
             ON CONFLICT (lake) DO NOTHING"
        )
    }

    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String> {
        let stage = self.helper(names, Helper::Stage(load.table));
        vec![format!(
            "INSERT INTO {CATALOG}.{stage} {}",
            duckdb::select(self, plan, load, LOCAL_TASKS)
        )]
    }

    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "DO $gap$ BEGIN IF (SELECT coalesce(max(sequence), 0) FROM {loaded} WHERE lake = {lake}) < {since} \
             THEN RAISE EXCEPTION USING MESSAGE = {message} || (SELECT sequence FROM {loaded} WHERE lake = \
             {lake}); END IF; END $gap$",
            loaded = self.loaded(names),
            lake = self.literal(&plan.lake),
            since = plan.since,
            message = self.literal(&format!("{}: ", gap(plan))),
        )
    }
}

/// The text, for `DuckDB`.
pub(super) fn load(names: &Names, plan: &LoadPlan) -> String {
    let product = &Postgres;
    let mut script = Script::of(product, names, plan);
    let mut statements = vec![
        "INSTALL postgres".to_owned(),
        "LOAD postgres".to_owned(),
        format!("ATTACH IF NOT EXISTS '' AS {CATALOG} (TYPE postgres)"),
        there(&script.prepare),
        "CALL pg_clear_cache()".to_owned(),
    ];
    if let Scope::Tasks(tasks) = &plan.scope {
        // The files are read with the tasks at hand; PostgreSQL gets them from there.
        let lists = script
            .stage
            .drain(..tasks.len().div_ceil(super::product::TASKS_AT_ONCE));
        statements.push(format!(
            "CREATE OR REPLACE TEMPORARY TABLE {LOCAL_TASKS} (task_id VARCHAR)"
        ));
        let there = product.helper(names, Helper::Tasks);
        let here = |list: String| list.replacen(&there, LOCAL_TASKS, 1);
        statements.extend(lists.map(here));
        let copy = format!("INSERT INTO {CATALOG}.{there} SELECT task_id FROM {LOCAL_TASKS}");
        script.stage.insert(0, copy);
    }
    // One transaction: an error on the way ends it, whether the client stops there or not.
    statements.push("BEGIN TRANSACTION".to_owned());
    statements.extend(script.stage);
    statements.push(there(&script.apply));
    statements.push("COMMIT".to_owned());
    if !script.finish.is_empty() {
        statements.push(there(&script.finish));
    }
    script::heading(product, plan) + &script::statements(&statements)
}

/// Statements that `PostgreSQL` runs, all or none.
fn there(statements: &[String]) -> String {
    let text = statements.join(";\n");
    format!("CALL postgres_execute('{CATALOG}', $airudder$\n{text}\n$airudder$)")
}
