//! `schema`: the tables.

use clap::{Args, ValueEnum};

/// Arguments of `schema`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaArgs {
    /// Only this table: `calls`, `redials`, `asr_turns` or `tasks`
    pub table: Option<String>,
    /// How they are printed
    #[arg(long, value_enum, value_name = "WORD", default_value_t)]
    pub format: SchemaFormat,
}

/// How tables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// For people, in a terminal
    #[default]
    Text,
    /// For documentation
    Markdown,
    /// The Arrow schema as JSON, for programs
    ArrowJson,
}
