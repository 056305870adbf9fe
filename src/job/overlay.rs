//! Lists and the API profile from environment variables: how a variable writes what the job file
//! writes as a list, a number or a table, and the profile of the job file with those variables over
//! it.
//!
//! A list is written as its items with commas between them (`200,0`), or as in TOML (`[200, 0]`).

use serde::Deserialize as _;
use toml::{Table, Value};

use super::by_variable::of_setting;
use super::environment::Environment;
use super::error::{Origin, SettingsError};
use super::profile::ApiProfile;
use super::settings::{Kind, SETTINGS, Setting};

/// The two ways to page a listing. Setting one in the environment replaces the other.
const PAGINGS: [[&str; 2]; 2] = [
    ["page_param", "first_page"],
    ["cursor_param", "next_cursor"],
];

/// The texts of a list.
///
/// # Errors
/// When it looks like a list in TOML and is none.
pub(super) fn texts(text: &str) -> Result<Vec<String>, String> {
    if !text.starts_with('[') {
        return Ok(items(text).map(str::to_owned).collect());
    }
    let Value::Array(items) = toml_value(text)? else {
        return Err("it is no list".to_owned());
    };
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    let texts: Option<_> = texts.collect();
    texts.ok_or_else(|| "it is no list of texts, such as [\"a\", \"b\"]".to_owned())
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn toml_value(text: &str) -> Result<Value, String> {
    let table: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = table.ok().and_then(|mut table| table.remove("value"));
    value.ok_or_else(|| "it is no value as in the job file".to_owned())
}

/// The profile with the variables of its settings over it.
///
/// # Errors
/// A variable that does not fit, alone or beside the others.
pub(super) fn profile(of_file: ApiProfile, env: &Environment) -> Result<ApiProfile, SettingsError> {
    let mut given = Vec::new();
    for setting in SETTINGS
        .iter()
        .filter(|setting| setting.kind == Kind::Profile)
    {
        if let Some((text, name)) = of_setting(env, setting)? {
            let value = value(setting, text).map_err(|problem| wrong(setting, name, problem))?;
            given.push((setting, name, value));
        }
    }
    let Some((last, last_name, _)) = given.last() else {
        return Ok(of_file);
    };
    let (last, last_name) = (*last, *last_name);
    let mut api = Table::try_from(&of_file).expect("a profile is a table");
    for (setting, ..) in &given {
        for [kept, replaced] in [PAGINGS, [PAGINGS[1], PAGINGS[0]]] {
            if kept.contains(&setting.name()) {
                let table = table_of(&mut api, setting);
                for key in replaced {
                    table.remove(key);
                }
            }
        }
    }
    for (setting, name, value) in given {
        // A cursor takes two settings, so only all of them together can be checked.
        let is_half = PAGINGS[1].contains(&setting.name());
        table_of(&mut api, setting).insert(setting.name().to_owned(), value);
        if !is_half {
            read(&api, is_cursor_half(&api)).map_err(|problem| wrong(setting, name, problem))?;
        }
    }
    ApiProfile::deserialize(api).map_err(|error| wrong(last, last_name, error.message().to_owned()))
}

fn table_of<'a>(api: &'a mut Table, setting: &Setting) -> &'a mut Table {
    match setting.table().strip_prefix("api.") {
        None => api,
        Some(name) => api
            .get_mut(name)
            .and_then(Value::as_table_mut)
            .expect("a profile has all tables of the settings"),
    }
}

/// Whether a listing has one of the two settings of a cursor so far.
fn is_cursor_half(api: &Table) -> bool {
    let tables = api.values().filter_map(Value::as_table);
    let halves = |table: &Table| {
        PAGINGS[1]
            .iter()
            .filter(|key| table.contains_key(**key))
            .count()
    };
    tables.into_iter().any(|table| halves(table) == 1)
}

fn read(api: &Table, is_incomplete: bool) -> Result<(), String> {
    if is_incomplete {
        return Ok(());
    }
    let profile = ApiProfile::deserialize(api.clone());
    profile
        .map(drop)
        .map_err(|error| error.message().to_owned())
}

fn wrong(setting: &Setting, name: &'static str, problem: String) -> SettingsError {
    SettingsError::Value {
        key: setting.key,
        origin: Origin::Variable(name),
        problem,
    }
}

/// A variable's text as the type of its setting, which is that of its default or example.
fn value(setting: &Setting, text: &str) -> Result<Value, String> {
    let model = toml_value(&setting.toml()).expect("a default is TOML");
    match model {
        Value::String(_) if text.len() > 1 && text.starts_with('"') && text.ends_with('"') => {
            toml_value(text)
        }
        Value::String(_) => Ok(Value::String(text.to_owned())),
        Value::Array(_) if !text.starts_with('[') => {
            let is_number = setting.name().ends_with("_codes");
            let item = |item: &str| match item.parse() {
                Ok(number) if is_number => Ok(Value::Integer(number)),
                Err(_) if is_number => Err(format!("`{item}` is not a whole number")),
                _ => Ok(Value::String(item.to_owned())),
            };
            items(text)
                .map(item)
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        model => {
            let expected = model.type_str();
            let value = toml_value(text)
                .ok()
                .filter(|value| value.same_type(&model));
            value.ok_or_else(|| format!("expected a value of type {expected}, as in the job file"))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::PagingStyle;
    use super::*;

    fn over(variables: &[(&str, &str)]) -> Result<ApiProfile, String> {
        let env = Environment::of(variables.iter().copied());
        profile(ApiProfile::default(), &env).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_of_the_profile_has_a_variable() {
        let profile = over(&[
            ("AIRUDDER_API_AUTH_PATH", "/auth"),
            ("AIRUDDER_API_SUCCESS_CODES", "200, 0"),
            ("AIRUDDER_API_RETRY_CODES", "[500]"),
            ("AIRUDDER_API_LIST_TASKS_METHOD", "GET"),
            ("AIRUDDER_API_LIST_TASKS_ITEMS", "/data/rows,/rows"),
            ("AIRUDDER_API_LIST_TASKS_NULL_IS_EMPTY", "true"),
            ("AIRUDDER_API_LIST_TASKS_TOTAL", "\"\""),
            ("AIRUDDER_API_LIST_TASKS_MAX_PAGES", "7"),
            ("AIRUDDER_API_TASK_DETAIL_EXTRA_PARAMS", "{ lang = \"en\" }"),
            ("AIRUDDER_API_LIST_WORKFLOWS_CURSOR_PARAM", "after"),
            ("AIRUDDER_API_LIST_WORKFLOWS_NEXT_CURSOR", "/data/next"),
        ])
        .expect("valid");
        assert_eq!(profile.auth_path, "/auth");
        assert_eq!(profile.success_codes, [200, 0]);
        assert_eq!(profile.retry_codes, [500]);
        assert_eq!(profile.list_tasks.paging.items, ["/data/rows", "/rows"]);
        assert_eq!(profile.list_tasks.paging.total, None);
        assert_eq!(profile.list_tasks.paging.max_pages.get(), 7);
        assert_eq!(profile.task_detail.extra_params.len(), 1);
        assert!(matches!(
            profile.list_workflows.paging.style,
            PagingStyle::Cursor { .. }
        ));
        // Those that are not set stay.
        assert_eq!(profile.not_found_codes, [404]);
    }

    #[test]
    fn every_default_can_be_written_as_a_variable() {
        for setting in SETTINGS
            .iter()
            .filter(|setting| setting.kind == Kind::Profile)
        {
            let is_cursor = PAGINGS[1].contains(&setting.name());
            let found = over(&[(setting.long_variable(), &setting.toml())]);
            assert!(found.is_ok() != is_cursor, "{}: {found:?}", setting.key);
        }
    }

    #[rstest]
    #[case(
        "AIRUDDER_API_SUCCESS_CODES",
        "200, all",
        "`all` is not a whole number"
    )]
    #[case("AIRUDDER_API_SUCCESS_CODES", "[200", "a value of type array")]
    #[case("AIRUDDER_API_LIST_TASKS_PATH", "tasks", "must start with")]
    #[case("AIRUDDER_API_LIST_TASKS_METHOD", "PUT", "PUT")]
    #[case(
        "AIRUDDER_API_LIST_TASKS_MAX_PAGES",
        "many",
        "expected a value of type integer"
    )]
    #[case("AIRUDDER_API_LIST_TASKS_NEXT_CURSOR", "/next", "cursor_param")]
    fn a_wrong_one_names_its_variable(
        #[case] variable: &str,
        #[case] text: &str,
        #[case] part: &str,
    ) {
        let error = over(&[(variable, text)]).expect_err("refused");
        assert!(error.contains(variable) && error.contains(part), "{error}");
    }

    #[test]
    fn lists_are_written_with_commas_or_as_in_toml() {
        assert_eq!(texts("a, b,").expect("a list"), ["a", "b"]);
        assert_eq!(texts("[\"a\", 'b,c']").expect("a list"), ["a", "b,c"]);
        assert!(texts("[1]").is_err() && texts("[a").is_err());
    }
}
