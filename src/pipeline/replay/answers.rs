//! The saved responses to import: files of this machine and objects in buckets, under one name each.
//!
//! An object's name is its address, `s3://bucket/key`, with the key as it is: `%20` is no space.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::files::{READ_BYTES, ReplayInputError, is_answer, open_regular, saved_files};
use crate::job::{Cloud, ObjectPlace};
use crate::store::{SavedObjects, SavedRead, StoreError};

/// How many objects are read at once: waiting for a store takes no core.
const OBJECTS_AT_ONCE: usize = 16;

/// The saved responses to import.
#[derive(Clone, Debug)]
pub struct SavedAnswers {
    pub(super) names: Arc<[PathBuf]>,
    /// By the beginning of their objects' names (`s3://bucket/`).
    buckets: Arc<BTreeMap<String, SavedObjects>>,
}

/// A name that the user gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAnswer {
    pub path: PathBuf,
    /// Whether it is a line of a list. An object of a list is not looked at before it is read.
    pub is_listed: bool,
}

impl From<PathBuf> for NamedAnswer {
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            is_listed: false,
        }
    }
}

/// The beginning of an object's name, with the bucket, and its key; `None` for a file.
#[must_use]
pub fn bucket_and_key(path: &Path) -> Option<(&str, &str)> {
    let text = path.to_str()?;
    let (scheme, rest) = text.split_once("://")?;
    Cloud::of_scheme(scheme)?;
    let length = rest.find('/').unwrap_or(rest.len());
    let at = scheme.len() + "://".len() + length;
    Some((&text[..at], text[at..].trim_start_matches('/')))
}

/// The responses selected by the user's names: files and objects as they are, folders and prefixes
/// with the responses below them, each once.
///
/// # Errors
///
/// When one does not exist, cannot be listed, or a bucket's settings can't be used.
pub async fn saved_answers(
    named: &[NamedAnswer],
    buckets: &BTreeMap<String, ObjectPlace>,
) -> Result<SavedAnswers, ReplayInputError> {
    let connected: Result<BTreeMap<_, _>, StoreError> = buckets
        .iter()
        .map(|(name, place)| Ok((name.clone(), SavedObjects::new(place)?)))
        .collect();
    let connected = connected?;
    let (mut files, mut objects) = (Vec::new(), Vec::new());
    for named in named {
        let Some((bucket, key)) = bucket_and_key(&named.path) else {
            files.push(named.path.clone());
            continue;
        };
        let store = &connected[bucket];
        let is_object = !key.is_empty()
            && !key.ends_with('/')
            && ((named.is_listed && is_answer(Path::new(key))) || store.is_there(key).await?);
        let address = |key: &str| PathBuf::from(format!("{bucket}/{key}"));
        if is_object {
            objects.push(address(key));
            continue;
        }
        let found = store.list(key, |key| is_answer(Path::new(key))).await?;
        objects.extend(found.iter().map(|key| address(key)));
    }
    let mut names = saved_files(&files)?;
    let mut seen = BTreeSet::new();
    objects.retain(|name| seen.insert(name.clone()));
    names.extend(objects);
    if names.is_empty() {
        return Err(ReplayInputError::Nothing);
    }
    Ok(SavedAnswers {
        names: names.into(),
        buckets: Arc::new(connected),
    })
}

impl SavedAnswers {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// How many are read at once, with so many threads for decoding.
    pub(super) fn at_once(&self, workers: usize) -> usize {
        if self.buckets.is_empty() {
            workers
        } else {
            workers.max(OBJECTS_AT_ONCE)
        }
    }

    /// Whether reading it waits for a network.
    pub(super) fn is_object(&self, number: u32) -> bool {
        bucket_and_key(&self.names[number as usize]).is_some()
    }

    /// The bytes as stored.
    pub(super) fn open_raw(&self, number: u32) -> io::Result<RawAnswer> {
        let path = &self.names[number as usize];
        match bucket_and_key(path) {
            None => open_regular(path).map(RawAnswer::File),
            Some((bucket, key)) => {
                let opened = self.buckets[bucket].open(key);
                opened
                    .map(Box::new)
                    .map(RawAnswer::Object)
                    .map_err(io::Error::other)
            }
        }
    }

    /// The text, decompressed according to the ending of the name.
    pub(super) fn open(&self, number: u32) -> io::Result<Box<dyn Read + Send>> {
        self.unpacked(number, self.open_raw(number)?)
    }

    /// The text, decompressed, and when it was last written.
    pub(super) fn open_dated(
        &self,
        number: u32,
    ) -> io::Result<(Box<dyn Read + Send>, Option<SystemTime>)> {
        let mut raw = self.open_raw(number)?;
        let modified = match &mut raw {
            RawAnswer::File(file) => file.metadata().and_then(|file| file.modified()).ok(),
            RawAnswer::Object(object) => {
                // Known from the first answer of the store on.
                let _ = object.read(&mut [])?;
                object.modified()
            }
        };
        Ok((self.unpacked(number, raw)?, modified))
    }

    fn unpacked(&self, number: u32, raw: RawAnswer) -> io::Result<Box<dyn Read + Send>> {
        let raw = BufReader::with_capacity(READ_BYTES, raw);
        let ending = self.names[number as usize].extension();
        Ok(match ending.and_then(|ending| ending.to_str()) {
            Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            Some("zst") => Box::new(zstd::Decoder::with_buffer(raw)?),
            _ => Box::new(raw),
        })
    }
}

/// A response as it is stored. Reading it blocks.
#[derive(Debug)]
pub(super) enum RawAnswer {
    File(std::fs::File),
    Object(Box<SavedRead>),
}

impl Read for RawAnswer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Object(object) => object.read(buffer),
        }
    }
}

/// The store's own error in that of a read, unless it says that the object is gone or was replaced:
/// then the response is at fault, and not the store.
pub(super) fn outage(error: io::Error) -> Result<StoreError, io::Error> {
    match error.downcast::<StoreError>() {
        Ok(store @ StoreError::Object { .. }) if !store.is_missing() => Ok(store),
        Ok(other) => Err(io::Error::other(other.to_string())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("s3://bucket/a/b.json", Some(("s3://bucket", "a/b.json")))]
    #[case("gs://bucket", Some(("gs://bucket", "")))]
    #[case("az://box//a%20b", Some(("az://box", "a%20b")))]
    #[case("a/b.json", None)]
    #[case("https://host/a.json", None)]
    fn a_name_with_a_cloud_s_scheme_is_an_object(
        #[case] name: &str,
        #[case] expected: Option<(&str, &str)>,
    ) {
        assert_eq!(bucket_and_key(Path::new(name)), expected);
    }
}
