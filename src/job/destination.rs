//! The location of the lake.

use std::path::PathBuf;

use super::error::SettingsError;
use super::object::{ObjectPlace, of_url};
use super::place;
use super::sources::Sources;

/// The location of the lake.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A folder on a disk.
    Local(PathBuf),
    /// A prefix in an object store (`s3://…`, `gs://…`, `az://…`).
    Object(Box<ObjectPlace>),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Object(place) => write!(f, "{}", place.url),
        }
    }
}

/// The destination, with connection settings for an object store.
pub(super) fn destination(sources: &Sources<'_>) -> Result<Destination, SettingsError> {
    let url = match sources.required("dest", place::destination)? {
        place::Named::Folder(path) => return Ok(Destination::Local(path)),
        place::Named::Object(url) => url,
    };
    let place = of_url(url, sources, true)?;
    Ok(Destination::Object(Box::new(place)))
}
