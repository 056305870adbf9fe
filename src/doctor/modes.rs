//! Checks for files of the lake with too many permissions. New files have the configured ones;
//! files of earlier versions, or copied files, may not.

use std::collections::BTreeSet;
use std::path::Path;

use super::check::Check;
use crate::job::{Destination, Job};

/// Files of a lake on a local disk with more permissions than they would get today; `None` on an
/// object store, which manages its own permissions.
pub(super) async fn examine(job: &Job) -> Option<Check> {
    let Destination::Local(root) = &job.dest else {
        return None;
    };
    let (root, allowed) = (root.clone(), allowed(job));
    let open = tokio::task::spawn_blocking(move || Open::look(&root, allowed)).await;
    open.ok()?.map(Open::check)
}

/// The permissions for others that the setting grants.
fn allowed(job: &Job) -> u32 {
    job.write.file_mode.map_or(0, |mode| !mode.mask() & 0o007)
}

/// Files with too many permissions.
#[derive(Debug, Default)]
struct Open {
    files: u64,
    /// Accessible to all users, by folder below the lake's root.
    folders: BTreeSet<String>,
    /// Contains whole responses, which only the owner may read.
    private: BTreeSet<String>,
}

#[cfg(unix)]
impl Open {
    /// `None` if the lake has no file that could be inspected.
    fn look(root: &Path, allowed: u32) -> Option<Self> {
        use crate::schema::TableName;
        let mut open = Self::default();
        let mut seen = 0;
        let tables = TableName::ALL.map(|table| (table.as_str().to_owned(), allowed));
        let others = [
            ("_export/rejects", 0),
            ("_export/quarantine", 0),
            ("_export", allowed),
        ];
        let others = others.map(|(folder, allowed)| (folder.to_owned(), allowed));
        for (folder, allowed) in tables.into_iter().chain(others) {
            let is_private = folder.contains('/');
            let mask = if is_private { 0o077 } else { 0o007 & !allowed };
            let files = walk(&root.join(&folder), mask, !is_private, &mut seen);
            if files > 0 {
                open.files += files;
                let place = quoted(&root.join(folder));
                let places = if is_private {
                    &mut open.private
                } else {
                    &mut open.folders
                };
                places.insert(place);
            }
        }
        (seen > 0).then_some(open)
    }
}

/// Counts the files below a folder that have any of these permissions. Does not follow links.
#[cfg(unix)]
fn walk(folder: &Path, mask: u32, passes_private: bool, seen: &mut u64) -> u64 {
    use std::os::unix::fs::PermissionsExt as _;
    let mut open = 0;
    // A folder this user can't list is not this user's to change.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let name = entry.file_name();
        if meta.is_dir() {
            let is_private = ["rejects", "quarantine"]
                .iter()
                .any(|private| name == *private);
            if !(passes_private && is_private && folder.ends_with("_export")) {
                open += walk(&path, mask, passes_private, seen);
            }
        } else if meta.is_file() {
            *seen += 1;
            open += u64::from(meta.permissions().mode() & mask != 0);
        }
    }
    open
}

#[cfg(not(unix))]
impl Open {
    fn look(_: &Path, _: u32) -> Option<Self> {
        None
    }
}

impl Open {
    fn check(self) -> Check {
        let Self {
            files,
            folders,
            private,
        } = self;
        if files == 0 {
            return Check::ok("lake.file_modes", "no file lies open to others");
        }
        let list = |places: BTreeSet<String>| places.into_iter().collect::<Vec<_>>().join(" ");
        let mut commands = Vec::new();
        if !folders.is_empty() {
            commands.push(format!("`chmod -R o-rwx {}`", list(folders)));
        }
        if !private.is_empty() {
            commands.push(format!("`chmod -R go-rwx {}`", list(private)));
        }
        let files = super::check::count(usize::try_from(files).unwrap_or(usize::MAX), "file");
        Check::warn(
            "lake.file_modes",
            format!("{files} can be read or changed by others than new ones would be"),
        )
        .advise(format!("run {}", commands.join(" and ")))
    }
}

/// Quotes a path for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%=".contains(&byte);
    if text.bytes().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_for_the_shell_where_it_must_be() {
        assert_eq!(quoted(Path::new("/srv/lake/calls")), "/srv/lake/calls");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
