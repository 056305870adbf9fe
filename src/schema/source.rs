//! The schema files in their TOML form, and their validation.

use serde::Deserialize;

use super::model::{
    Column, ColumnType, Encoding, Fill, Nested, Parse, Statistics, Table, TableName, TableParts,
};

const COMMON: &str = include_str!("../../schemas/common.toml");
const TABLES: [(TableName, &str); 4] = [
    (TableName::Calls, include_str!("../../schemas/calls.toml")),
    (
        TableName::Redials,
        include_str!("../../schemas/redials.toml"),
    ),
    (
        TableName::AsrTurns,
        include_str!("../../schemas/asr_turns.toml"),
    ),
    (TableName::Tasks, include_str!("../../schemas/tasks.toml")),
];

#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) version: u32,
    pub(super) tables: Vec<Table>,
}

/// Why a schema file is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the schema file of {table} is not understood")]
    Syntax {
        table: String,
        source: toml::de::Error,
    },
    #[error("the schema of {table} says: {problem}")]
    Content { table: String, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommonFile {
    schema_version: u32,
    column: Vec<RawColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    table: TableName,
    description: String,
    partition: String,
    partition_description: String,
    key: Vec<String>,
    column: Vec<RawColumn>,
    #[serde(default)]
    nested: Vec<RawNested>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    name: String,
    r#type: ColumnType,
    #[serde(default = "yes")]
    nullable: bool,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    parse: Parse,
    fill: Option<Fill>,
    unit: Option<String>,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    statistics: Statistics,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNested {
    key: String,
    table: TableName,
}

fn yes() -> bool {
    true
}

/// The schema files embedded in this build.
pub(super) fn embedded() -> Result<Schemas, SourceError> {
    let common: CommonFile = toml::from_str(COMMON).map_err(|source| SourceError::Syntax {
        table: "common".into(),
        source,
    })?;
    let tables = TABLES
        .into_iter()
        .map(|(name, text)| read_table(name, text, &common.column))
        .collect::<Result<_, _>>()?;
    Ok(Schemas {
        version: common.schema_version,
        tables,
    })
}

fn read_table(name: TableName, text: &str, common: &[RawColumn]) -> Result<Table, SourceError> {
    let file: TableFile = toml::from_str(text).map_err(|source| SourceError::Syntax {
        table: name.to_string(),
        source,
    })?;
    let refuse = |problem: String| {
        Err(SourceError::Content {
            table: name.to_string(),
            problem,
        })
    };
    if file.table != name {
        return refuse(format!("it names the table {}", file.table));
    }
    if file.partition != name.partition_column() {
        return refuse(format!(
            "it is not partitioned by {}",
            name.partition_column()
        ));
    }
    let columns: Vec<Column> = file
        .column
        .iter()
        .chain(common)
        .cloned()
        .map(column)
        .collect();
    for (index, column) in columns.iter().enumerate() {
        let name = &column.name;
        if columns[..index].iter().any(|other| other.name == *name) {
            return refuse(format!("the column {name} stands twice"));
        }
        if column.keys.is_empty() && column.fill.is_none() {
            return refuse(format!("the column {name} has neither keys nor fill"));
        }
        if !column.nullable && column.fill.is_none() {
            return refuse(format!(
                "the column {name} is read from the answer, so it may be null"
            ));
        }
        if column.description.is_empty() {
            return refuse(format!("the column {name} has no description"));
        }
        let parse_fits = match column.parse {
            Parse::Plain => true,
            Parse::Local => column.data_type == ColumnType::Timestamp,
            Parse::Clock => column.data_type == ColumnType::Int32,
            Parse::Object => column.data_type == ColumnType::Json,
        };
        if !parse_fits {
            return refuse(format!("the column {name} cannot be parsed like that"));
        }
    }
    if let Some(key) = file
        .key
        .iter()
        .find(|key| !columns.iter().any(|c| c.name == **key))
    {
        return refuse(format!("its key {key} is no column"));
    }
    Ok(Table::new(TableParts {
        name,
        description: file.description,
        partition_description: file.partition_description,
        key: file.key,
        columns,
        nested: file
            .nested
            .into_iter()
            .map(|RawNested { key, table }| Nested { key, table })
            .collect(),
    }))
}

fn column(raw: RawColumn) -> Column {
    Column {
        name: raw.name,
        data_type: raw.r#type,
        nullable: raw.nullable,
        keys: raw.keys,
        parse: raw.parse,
        fill: raw.fill,
        unit: raw.unit,
        personal: raw.personal,
        encoding: raw.encoding,
        statistics: raw.statistics,
        description: raw.description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_files_are_valid() {
        let schemas = embedded().expect("valid");
        let line = format!("schema_version = {}\n", schemas.version);
        assert!(
            include_str!("../../schemas/common.toml").contains(&line),
            "{line}"
        );
        assert_eq!(schemas.tables.len(), TableName::ALL.len());
    }

    #[test]
    fn the_common_columns_end_every_table() {
        for table in embedded().expect("valid").tables {
            let names: Vec<_> = table
                .columns
                .iter()
                .rev()
                .take(3)
                .map(|c| &c.name)
                .collect();
            assert_eq!(
                names,
                ["_extracted_at", "_run_id", "extra_fields"],
                "{}",
                table.name
            );
        }
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused() {
        let text = TABLES[0]
            .1
            .replace("name = \"row_id\"", "name = \"call_id\"");
        let error = read_table(TableName::Calls, &text, &[]).expect_err("twice");
        assert!(
            error.to_string().contains("call_id stands twice"),
            "{error}"
        );
    }
}
