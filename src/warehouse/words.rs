//! Names and literals in SQL.

/// Why a name can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name in a warehouse: it is empty, or holds a quote or a control character")]
pub struct NameError(String);

/// Where the tables are in the warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    schema: Vec<String>,
    stage: Option<String>,
    root: Option<String>,
}

impl Names {
    /// A schema (`airudder`, `catalog.schema`) and, for Snowflake, an external stage at the lake's
    /// root (`lake_stage`, `db.schema.lake_stage`, with or without the `@`).
    ///
    /// # Errors
    /// When a part is empty, or holds a quote or a control character.
    pub fn new(schema: &str, stage: Option<&str>) -> Result<Self, NameError> {
        let parts: Vec<String> = schema.split('.').map(str::to_owned).collect();
        let stage = stage.map(|stage| stage.trim_start_matches('@').trim_end_matches('/'));
        let staged = stage.into_iter().flat_map(|stage| stage.split('.'));
        let is_bad = |part: &str| {
            part.trim().is_empty()
                || part.contains(['"', '`', '\'', '\\'])
                || part.chars().any(char::is_control)
        };
        if let Some(bad) = parts
            .iter()
            .map(String::as_str)
            .chain(staged)
            .find(|part| is_bad(part))
        {
            return Err(NameError(bad.to_owned()));
        }
        Ok(Self {
            schema: parts,
            stage: stage.map(str::to_owned),
            root: None,
        })
    }

    /// With the address of the lake.
    #[must_use]
    pub fn with_root(self, root: &str) -> Self {
        let root = Some(root.trim_end_matches('/').to_owned());
        Self { root, ..self }
    }

    /// The address of the lake, or something to put it in place of.
    pub(super) fn root(&self) -> &str {
        self.root.as_deref().unwrap_or("s3://BUCKET/LAKE")
    }

    /// The schema, each part quoted with `quote` if it must be.
    pub(super) fn schema(&self, quote: char) -> String {
        let parts: Vec<String> = self.schema.iter().map(|part| ident(part, quote)).collect();
        parts.join(".")
    }

    /// A table in the schema.
    pub(super) fn table(&self, table: &str, quote: char) -> String {
        format!("{}.{}", self.schema(quote), ident(table, quote))
    }

    /// The stage.
    pub(super) fn stage(&self) -> Option<&str> {
        self.stage.as_deref()
    }
}

/// A name, quoted if it is not made of small letters, digits and `_`.
pub(super) fn ident(name: &str, quote: char) -> String {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if begins && is_plain {
        name.to_owned()
    } else {
        format!("{quote}{name}{quote}")
    }
}

/// A text literal as the SQL standard has it: quotes are doubled.
pub(super) fn standard(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text literal where a backslash escapes.
pub(super) fn escaped(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// A text in a comment of a line: nothing that ends it.
pub(super) fn remark(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let names = Names::new("my-project.airudder", Some("@db.stage/")).expect("names");
        assert_eq!(names.table("calls", '`'), "`my-project`.airudder.calls");
        assert_eq!(names.stage(), Some("db.stage"));
        for bad in ["", "a.", "a\"b", "a`", "x'; DROP TABLE y; --"] {
            assert!(Names::new(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn literals_end_where_the_text_ends() {
        assert_eq!(standard(r"it's \"), r"'it''s \'");
        assert_eq!(escaped(r"it's \"), r"'it\'s \\'");
    }
}
