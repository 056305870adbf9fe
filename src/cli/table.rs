//! Parses a table name argument: one of the four, or a usage error that names them.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::schema::TableName;

/// Reads the name of a table.
pub(super) fn table_name() -> impl TypedValueParser<Value = TableName> {
    PossibleValuesParser::new(TableName::ALL.map(TableName::as_str))
        .map(|name| TableName::parse(&name).expect("only names of tables are possible values"))
}
