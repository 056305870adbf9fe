//! The analyst's models as views: made from `jobs/dbt` by `jobs/views/generate`, one text a dialect. Databricks
//! takes that of Spark.

use chrono_tz::Tz;

use super::dialect::Dialect;
use super::words::{Names, standard};

/// What stands in the texts for the schema of the tables, and for the name of the source's zone.
const SCHEMA: &str = "@schema@";
const ZONE: &str = "@source_timezone@";

/// The statements that create the views over the four tables. Nothing for a product that they are not
/// made for. In `DuckDB` they read the lake's files, and both names are variables of the session.
#[must_use]
pub fn views(dialect: Dialect, names: &Names, zone: Tz) -> Option<String> {
    let (text, quote) = match dialect {
        Dialect::DuckDb => (include_str!("views/duckdb.sql"), '"'),
        Dialect::Postgres => (include_str!("views/postgres.sql"), '"'),
        Dialect::ClickHouse => (include_str!("views/clickhouse.sql"), '`'),
        Dialect::Snowflake => (include_str!("views/snowflake.sql"), '"'),
        Dialect::BigQuery => (include_str!("views/bigquery.sql"), '`'),
        Dialect::Redshift => (include_str!("views/redshift.sql"), '"'),
        Dialect::Databricks | Dialect::Spark => (include_str!("views/spark.sql"), '`'),
        Dialect::Athena => return None,
    };
    debug_assert_eq!(standard(zone.name()), format!("'{}'", zone.name()));
    let text = text.replace(SCHEMA, &names.schema(quote));
    Some(text.replace(ZONE, zone.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_its_schema_and_zone_and_nothing_is_left_open() {
        let names = Names::new("my-lake.raw", None).expect("names");
        for dialect in Dialect::ALL {
            let Some(text) = views(dialect, &names, chrono_tz::Asia::Jakarta) else {
                assert_eq!(dialect, Dialect::Athena);
                continue;
            };
            assert!(!text.contains('@'), "{}", dialect.as_str());
            assert_eq!(text.matches("CREATE OR REPLACE VIEW ").count(), 18);
            let quoted = text.contains("from \"my-lake\".raw.calls")
                || text.contains("from `my-lake`.raw.calls");
            assert_eq!(quoted, dialect != Dialect::DuckDb, "{}", dialect.as_str());
            assert_eq!(text.contains("'Asia/Jakarta'"), dialect != Dialect::DuckDb);
        }
    }
}
