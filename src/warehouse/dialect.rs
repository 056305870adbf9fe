//! The products that text can be made for.

use super::athena::Athena;
use super::bigquery::BigQuery;
use super::clickhouse::ClickHouse;
use super::databricks::Databricks;
use super::duckdb::DuckDb;
use super::postgres::Postgres;
use super::product::Product;
use super::redshift::Redshift;
use super::snowflake::Snowflake;
use super::spark::Spark;

/// A warehouse, by the SQL that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// A `DuckDB` database.
    DuckDb,
    /// `PostgreSQL`, filled by `DuckDB`.
    Postgres,
    /// `ClickHouse`.
    ClickHouse,
    /// Snowflake, from an external stage.
    Snowflake,
    /// Google `BigQuery`.
    BigQuery,
    /// Amazon Redshift.
    Redshift,
    /// Amazon Athena with the Glue catalog.
    Athena,
    /// Databricks SQL.
    Databricks,
    /// Spark SQL.
    Spark,
}

impl Dialect {
    /// All dialects, in the order of the variants.
    pub const ALL: [Self; 9] = [
        Self::DuckDb,
        Self::Postgres,
        Self::ClickHouse,
        Self::Snowflake,
        Self::BigQuery,
        Self::Redshift,
        Self::Athena,
        Self::Databricks,
        Self::Spark,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Postgres => "postgres",
            Self::ClickHouse => "clickhouse",
            Self::Snowflake => "snowflake",
            Self::BigQuery => "bigquery",
            Self::Redshift => "redshift",
            Self::Athena => "athena",
            Self::Databricks => "databricks",
            Self::Spark => "spark",
        }
    }

    /// The dialect of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.as_str() == text)
    }

    /// The scheme that addresses of the lake must have, if the product reads only such.
    #[must_use]
    pub fn needs_store(self) -> Option<&'static str> {
        match self {
            Self::Redshift | Self::Athena => Some("s3"),
            Self::BigQuery => Some("gs"),
            _ => None,
        }
    }

    /// Whether files are named relative to a stage (`--stage`).
    #[must_use]
    pub fn needs_stage(self) -> bool {
        self == Self::Snowflake
    }

    pub(super) fn product(self) -> &'static dyn Product {
        match self {
            Self::DuckDb => &DuckDb,
            Self::Postgres => &Postgres,
            Self::ClickHouse => &ClickHouse,
            Self::Snowflake => &Snowflake,
            Self::BigQuery => &BigQuery,
            Self::Redshift => &Redshift,
            Self::Athena => &Athena,
            Self::Databricks => &Databricks,
            Self::Spark => &Spark,
        }
    }
}
