//! Text that creates the tables in a warehouse and loads into them exactly what changed in the lake.
//!
//! # How a load works, in every product
//! ```text
//! prepare: schema, tables (created if absent), helper tables, the row of the lake in airudder_loaded
//! stage:   the files' rows go to staging tables
//! apply:   in one transaction, where the product has such: due? → delete → insert → loaded sequence
//! finish:  the helper tables go
//! ```
//! A load says from which commit to which it leads. It is *due* if the warehouse is at or behind the
//! first and before the last of them; otherwise it changes nothing, so running it again is harmless,
//! and one that would leave a gap ends with an error. The rows of the tasks that changed are deleted
//! and inserted anew, and no others: a compaction changes no row. Where a product has no transaction
//! over several statements, the sequence is written last, and a load that was killed is run again.
//!
//! [`plan`] says what is to be loaded, [`script`] in which steps, and one module per product in which
//! words. Nothing here reads a data file or connects to anything.

mod athena;
mod bigquery;
mod clickhouse;
mod databricks;
mod dialect;
mod duckdb;
pub mod plan;
mod postgres;
mod product;
mod redshift;
mod script;
mod snowflake;
mod spark;
mod views;
mod words;

pub use dialect::Dialect;
pub use plan::{LoadPlan, PlanError};
pub use views::views;
pub use words::{NameError, Names};

use crate::schema::TableName;

/// The statements that create tables.
#[must_use]
pub fn ddl(dialect: Dialect, names: &Names, tables: &[TableName]) -> String {
    let product = dialect.product();
    let mut statements = vec![product.create_schema(names)];
    for table in tables {
        let table = crate::schema::table(*table);
        statements.extend(product.create_table(names, table));
        statements.extend(product.comments(names, table));
    }
    statements.push(product.create_loaded(names));
    statements.retain(|statement| !statement.is_empty());
    script::statements(&statements)
}

/// The text that loads what a plan says.
#[must_use]
pub fn load(dialect: Dialect, names: &Names, plan: &LoadPlan) -> String {
    let names = &names.clone().with_root(&plan.root);
    match dialect {
        Dialect::Postgres => postgres::load(names, plan),
        Dialect::Spark => spark::load(names, plan),
        _ => script::load(dialect.product(), names, plan),
    }
}
