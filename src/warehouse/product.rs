//! What a product has words of its own for. What most of them share is the default.

use super::plan::{LoadPlan, Scope, TableLoad};
use super::words::{self, Names};
use crate::schema::formats::description;
use crate::schema::{Column, ColumnType, Table};

/// Tasks in one statement: literals of up to half a kilobyte each.
pub(super) const TASKS_AT_ONCE: usize = 1_000;

/// A helper table of a load. It is made new by each load.
#[derive(Clone, Copy, Debug)]
pub(super) enum Helper {
    /// One row while the load is due.
    Due,
    /// The tasks whose rows are replaced.
    Tasks,
    /// Rows on their way to a table.
    Stage(&'static Table),
}

impl Helper {
    pub(super) fn name(self) -> String {
        match self {
            Self::Due => "airudder_due".to_owned(),
            Self::Tasks => "airudder_tasks".to_owned(),
            Self::Stage(table) => format!("airudder_stage_{}", table.name),
        }
    }
}

/// The words of a product.
pub(super) trait Product: Sync {
    /// The name of the product, for the heading.
    fn name(&self) -> &'static str;

    /// How the text is run, for the heading: one line each.
    fn how(&self) -> &'static [&'static str];

    /// The type of a column.
    fn column_type(&self, column_type: ColumnType) -> &'static str;

    /// What names are quoted with.
    fn quote(&self) -> char {
        '"'
    }

    /// A text literal.
    fn literal(&self, text: &str) -> String {
        words::standard(text)
    }

    /// A name.
    fn ident(&self, name: &str) -> String {
        words::ident(name, self.quote())
    }

    /// A table of the warehouse.
    fn table(&self, names: &Names, table: &str) -> String {
        names.table(table, self.quote())
    }

    /// A date literal; null for none.
    fn date(&self, date: Option<chrono::NaiveDate>) -> String {
        match date {
            Some(date) => format!("DATE '{date}'"),
            None => "CAST(NULL AS DATE)".to_owned(),
        }
    }

    /// The time.
    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    /// Creates the schema.
    fn create_schema(&self, names: &Names) -> String {
        format!("CREATE SCHEMA IF NOT EXISTS {}", names.schema(self.quote()))
    }

    /// Creates a table if it is absent, and adds what columns it lacks.
    fn create_table(&self, names: &Names, table: &Table) -> Vec<String>;

    /// What is said of a table and its columns, where that takes statements of their own.
    fn comments(&self, names: &Names, table: &Table) -> Vec<String> {
        let _ = (names, table);
        Vec::new()
    }

    /// Creates the table of loaded sequences if it is absent.
    fn create_loaded(&self, names: &Names) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (lake {} NOT NULL, sequence {} NOT NULL, loaded_at {})",
            self.loaded(names),
            self.column_type(ColumnType::Utf8),
            self.column_type(ColumnType::Int64),
            self.column_type(ColumnType::Timestamp),
        )
    }

    /// The table of loaded sequences.
    fn loaded(&self, names: &Names) -> String {
        self.table(names, "airudder_loaded")
    }

    /// The place of a helper table.
    fn helper(&self, names: &Names, helper: Helper) -> String {
        let _ = names;
        helper.name()
    }

    /// Creates a helper table, empty.
    fn create_helper(&self, names: &Names, helper: Helper) -> Vec<String> {
        let columns = self.helper_columns(helper);
        vec![format!(
            "CREATE OR REPLACE TEMPORARY TABLE {} ({columns})",
            self.helper(names, helper)
        )]
    }

    /// The columns of a helper table.
    fn helper_columns(&self, helper: Helper) -> String {
        match helper {
            Helper::Due => format!("due {}", self.column_type(ColumnType::Int32)),
            Helper::Tasks => format!("task_id {}", self.column_type(ColumnType::Utf8)),
            Helper::Stage(table) => {
                let partition = table.name.partition_column();
                let columns = table.columns.iter();
                let columns = columns.map(|column| {
                    let column_type = self.nullable_type(column.data_type);
                    format!("{} {column_type}", self.ident(&column.name))
                });
                let columns: Vec<String> = columns
                    .chain([format!(
                        "{partition} {}",
                        self.nullable_type(ColumnType::Date32)
                    )])
                    .collect();
                columns.join(", ")
            }
        }
    }

    /// The type of a column that may be null.
    fn nullable_type(&self, column_type: ColumnType) -> String {
        self.column_type(column_type).to_owned()
    }

    /// Removes a helper table.
    fn drop_helper(&self, names: &Names, helper: Helper) -> String {
        format!("DROP TABLE IF EXISTS {}", self.helper(names, helper))
    }

    /// Brings the rows of the files to the staging table.
    fn stage(&self, names: &Names, plan: &LoadPlan, load: &TableLoad) -> Vec<String>;

    /// Fails with a message if commits between the warehouse's and the load's are missing.
    fn guard(&self, names: &Names, plan: &LoadPlan) -> String {
        // The number of the warehouse's commit follows.
        let message = self.literal(&format!("{}: ", gap(plan)));
        format!(
            "SELECT CASE WHEN coalesce(max(sequence), 0) < {} THEN CAST({message} || max(sequence) AS {}) END \
             FROM {} WHERE lake = {}",
            plan.since,
            self.column_type(ColumnType::Int64),
            self.loaded(names),
            self.literal(&plan.lake),
        )
    }

    /// Notes that nothing of the lake was loaded, unless something was.
    fn begin_lake(&self, names: &Names, plan: &LoadPlan) -> String {
        let (loaded, lake) = (self.loaded(names), self.literal(&plan.lake));
        let now = self.now();
        // Not every product takes a condition without a table.
        format!(
            "INSERT INTO {loaded} (lake, sequence, loaded_at) SELECT {lake}, 0, {now} \
             FROM (SELECT 1 AS one) AS once WHERE NOT EXISTS (SELECT 1 FROM {loaded} WHERE lake = {lake})"
        )
    }

    /// Makes a second load of the same lake wait or fail, inside of the transaction.
    fn claim(&self, names: &Names, plan: &LoadPlan) -> Option<String> {
        Some(format!(
            "UPDATE {} SET loaded_at = {} WHERE lake = {}",
            self.loaded(names),
            self.now(),
            self.literal(&plan.lake),
        ))
    }

    /// Fills the helper table that says whether the load is due.
    fn find_due(&self, names: &Names, plan: &LoadPlan) -> String {
        let due = self.helper(names, Helper::Due);
        let staged = self.is_staged(names, plan);
        if !plan.moves_on() {
            return format!(
                "INSERT INTO {due} SELECT 1 FROM (SELECT 1 AS one) AS once WHERE 1 = 1{staged}"
            );
        }
        format!(
            "INSERT INTO {due} SELECT 1 FROM {} WHERE lake = {} AND sequence >= {} AND sequence < {}{staged}",
            self.loaded(names),
            self.literal(&plan.lake),
            plan.since,
            plan.through,
        )
    }

    /// Whether a client that continues after an error could apply what was staged in part, so that the
    /// staged rows are counted first.
    fn counts_staged(&self) -> bool {
        false
    }

    /// The condition that all rows are staged.
    fn is_staged(&self, names: &Names, plan: &LoadPlan) -> String {
        if !self.counts_staged() {
            return String::new();
        }
        let staged = plan.tables.iter().filter(|load| !load.files.is_empty());
        let staged = staged.map(|load| {
            let place = self.helper(names, Helper::Stage(load.table));
            format!(" AND (SELECT count(*) FROM {place}) = {}", load.rows())
        });
        staged.collect()
    }

    /// Whether rows are staged inside of the transaction, so that an error there ends it.
    fn stages_inside(&self) -> bool {
        false
    }

    /// Notes that the load is done.
    fn set_loaded(&self, names: &Names, plan: &LoadPlan) -> String {
        format!(
            "UPDATE {} SET sequence = {}, loaded_at = {} WHERE lake = {} AND 1 IN \
             (SELECT due FROM {})",
            self.loaded(names),
            plan.through,
            self.now(),
            self.literal(&plan.lake),
            self.helper(names, Helper::Due),
        )
    }

    /// Fills the helper table of tasks.
    fn list_tasks(&self, names: &Names, plan: &LoadPlan) -> Vec<String> {
        let Scope::Tasks(tasks) = &plan.scope else {
            return Vec::new();
        };
        let chunks = tasks.chunks(TASKS_AT_ONCE);
        let insert = |tasks: &[crate::task::TaskId]| {
            let rows = tasks
                .iter()
                .map(|task| format!("({})", self.literal(task.as_str())));
            let rows: Vec<String> = rows.collect();
            format!(
                "INSERT INTO {} VALUES {}",
                self.helper(names, Helper::Tasks),
                rows.join(", ")
            )
        };
        chunks.map(insert).collect()
    }

    /// The condition for the rows of a table that are deleted, and for the staged rows that replace them.
    fn rows(&self, names: &Names, plan: &LoadPlan, table: &Table) -> String {
        let partition = table.name.partition_column();
        let due = || format!("1 IN (SELECT due FROM {})", self.helper(names, Helper::Due));
        match &plan.scope {
            Scope::Whole => due(),
            Scope::Tasks(_) => format!(
                "task_id IN (SELECT task_id FROM {}) AND {}",
                self.helper(names, Helper::Tasks),
                due()
            ),
            Scope::Days { from, to } => {
                let from = from.map(|day| format!("{partition} >= {}", self.date(Some(day))));
                let to = to.map(|day| format!("{partition} <= {}", self.date(Some(day))));
                let bounds: Vec<String> = from.into_iter().chain(to).collect();
                let days = if bounds.is_empty() {
                    format!("{partition} IS NOT NULL")
                } else {
                    bounds.join(" AND ")
                };
                if self.counts_staged() {
                    format!("{days} AND {}", due())
                } else {
                    days
                }
            }
        }
    }

    /// Deletes the rows that are replaced.
    fn delete(&self, names: &Names, plan: &LoadPlan, table: &Table) -> String {
        let place = self.table(names, table.name.as_str());
        format!(
            "DELETE FROM {place} WHERE {}",
            self.rows(names, plan, table)
        )
    }

    /// Inserts the rows that come.
    fn insert(&self, names: &Names, plan: &LoadPlan, table: &'static Table) -> String {
        let columns = self.columns(table).join(", ");
        format!(
            "INSERT INTO {} ({columns}) SELECT {columns} FROM {} WHERE {}",
            self.table(names, table.name.as_str()),
            self.helper(names, Helper::Stage(table)),
            self.rows(names, plan, table),
        )
    }

    /// The names of a table's columns, the partition's last.
    fn columns(&self, table: &Table) -> Vec<String> {
        let partition = table.name.partition_column().to_owned();
        let columns = table.columns.iter().map(|column| self.ident(&column.name));
        columns.chain([partition]).collect()
    }

    /// How a transaction begins and ends, where there is one over several statements.
    fn transaction(&self) -> Option<[&'static str; 2]> {
        Some(["BEGIN TRANSACTION", "COMMIT"])
    }
}

/// The clauses, or statements, that add the columns which an older table may lack: those that may
/// be null. `add` writes one.
pub(super) fn added_columns(table: &Table, add: impl Fn(&Column) -> String) -> Vec<String> {
    let growing = table.columns.iter().filter(|column| column.nullable);
    growing.map(add).collect()
}

/// What a load that would leave a gap says.
pub(super) fn gap(plan: &LoadPlan) -> String {
    format!(
        "this load begins after commit {}; make one with --since of the commit that is loaded",
        plan.since
    )
}

/// What is said of a column: description, unit, whether it is personal.
pub(super) fn said(column: &Column) -> String {
    let personal = if column.personal {
        " Personal data."
    } else {
        ""
    };
    format!("{}{personal}", description(column))
}

/// What is said of a table: description and key.
pub(super) fn said_of_table(table: &Table) -> String {
    format!("{} Key: {}.", table.description, table.key.join(", "))
}

/// The columns of a table with their types and nullability; `more` says what follows of each.
pub(super) fn column_lines(
    product: &dyn Product,
    table: &Table,
    more: &dyn Fn(&str) -> String,
) -> Vec<String> {
    let line = |column: &Column| {
        let null = if column.nullable { "" } else { " NOT NULL" };
        format!(
            "  {} {}{null}{}",
            product.ident(&column.name),
            product.column_type(column.data_type),
            more(&said(column)),
        )
    };
    let partition = format!(
        "  {} {}{}",
        table.name.partition_column(),
        product.column_type(ColumnType::Date32),
        more(&table.partition_description),
    );
    table.columns.iter().map(line).chain([partition]).collect()
}

/// `COMMENT ON` for a table and its columns, where comments are statements of their own.
pub(super) fn comments(product: &dyn Product, place: &str, table: &Table) -> Vec<String> {
    let on = |what: String, text: &str| format!("COMMENT ON {what} IS {}", product.literal(text));
    let columns = table.columns.iter().map(|column| {
        let name = product.ident(&column.name);
        on(format!("COLUMN {place}.{name}"), &said(column))
    });
    let partition = table.name.partition_column();
    let partition = on(
        format!("COLUMN {place}.{partition}"),
        &table.partition_description,
    );
    let table = on(format!("TABLE {place}"), &said_of_table(table));
    [table]
        .into_iter()
        .chain(columns)
        .chain([partition])
        .collect()
}
