//! The tables in the forms that other people's tools read: contracts, catalogs and validators.
//!
//! Each form is a pure function of `schemas/`. None of them says anything that the schema files do
//! not say, apart from the form's own frame.

mod data_package;
mod dbt;
mod json_schema;
mod odcs;
mod words;
mod yaml;

pub use data_package::{PackagedFile, data_package, data_package_of_files};
pub use dbt::dbt;
pub use json_schema::json_schema;
pub use odcs::odcs;
pub(crate) use words::description;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TableName, table};

    #[test]
    fn every_form_names_every_column_and_its_description() {
        let all = TableName::ALL.as_slice();
        let json = |value: &serde_json::Value| serde_json::to_string(value).expect("JSON");
        let forms = [
            odcs(all),
            dbt(all),
            json(&data_package(all)),
            json(&json_schema(all)),
        ];
        for form in &forms {
            for column in all.iter().flat_map(|name| &table(*name).columns) {
                let said = json(&column.description.clone().into());
                assert!(
                    form.contains(said.trim_matches('"')),
                    "{} in {form}",
                    column.name
                );
            }
        }
    }
}
