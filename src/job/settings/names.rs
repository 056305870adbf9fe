//! Names of environment variables, by one rule for all settings: `AIRUDDER_` and the key in
//! capitals, with `_` for each dot (`api.max_attempts` is `AIRUDDER_API_MAX_ATTEMPTS`). Settings
//! with a flag also have a short name, that of the flag.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::SETTINGS;

/// Names by key. They live as long as the program, like the table they are made from.
static NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let named = SETTINGS.iter().map(|setting| {
        let name = format!("AIRUDDER_{}", setting.key.to_uppercase().replace('.', "_"));
        (setting.key, &*name.leak())
    });
    named.collect()
});

/// The variable of the setting with this key, by the rule.
///
/// # Panics
///
/// When the table has no such key.
pub(super) fn by_rule(key: &str) -> &'static str {
    NAMES[key]
}
