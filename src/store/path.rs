//! Names and relative paths in the lake, always with `/`.
//!
//! External ids never become part of a path. Paths read back from a commit record are parsed, not
//! trusted: a record that names `../../etc` is refused.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::schema::TableName;
use crate::task::RunId;

/// Hive's name for the partition of rows without a value, used by all later systems.
const UNKNOWN_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The folder of a table's Delta log.
const DELTA_LOG: &str = "_delta_log";

/// See [`FileName::without_rows`].
const WITHOUT_ROWS: &str = "no-rows.parquet";

/// Why a text is not a name or path of the lake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name or path of the lake")]
pub struct PathError(String);

impl PathError {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().take(300).collect())
    }
}

/// Serde by `Display` and `FromStr`, without a `String` in between.
macro_rules! as_text {
    ($name:ty, $expecting:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(crate) use as_text;

as_text!(Partition, "a partition");
as_text!(FileName, "a data file's name");
as_text!(FilePath, "a data file's path");
as_text!(PinId, "the id of a pin");

/// The folder a row belongs in: its date in the partition time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    /// Rows of one day.
    Date(NaiveDate),
    /// Rows without a usable date.
    Unknown,
}

impl Partition {
    /// The day, unless it is unknown.
    #[must_use]
    pub fn date(self) -> Option<NaiveDate> {
        match self {
            Self::Date(date) => Some(date),
            Self::Unknown => None,
        }
    }
}

impl From<Option<NaiveDate>> for Partition {
    fn from(date: Option<NaiveDate>) -> Self {
        date.map_or(Self::Unknown, Self::Date)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::Unknown => f.write_str(UNKNOWN_PARTITION),
        }
    }
}

impl FromStr for Partition {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text == UNKNOWN_PARTITION {
            return Ok(Self::Unknown);
        }
        // `2024-3-11` parses too, but is another folder.
        text.parse::<NaiveDate>()
            .ok()
            // So does `+10000-01-01`. The years that runs never write (before 1900, after 2199) are read:
            // lakes of earlier versions may hold them, and what a commit names must stay readable.
            .filter(|date| text.len() == "2024-03-11".len() && date.to_string() == text)
            .map(Self::Date)
            .ok_or_else(|| PathError::new(text))
    }
}

/// A data file's name: letters, digits, `-`, `_` and `.`, visible to every reader, `.parquet`.
/// Never used twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Box<str>);

impl FileName {
    /// The name of the file without rows that a table has as long as it has no others. No run stages
    /// one of that name.
    fn without_rows() -> Self {
        Self(WITHOUT_ROWS.into())
    }

    /// The name of the `number`th file that a run stages.
    pub(crate) fn of_run(run: &RunId, number: u64) -> Self {
        Self(format!("{run}-{number:06}.parquet").into())
    }

    /// The name, ending included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let stem = text.strip_suffix(".parquet").unwrap_or_default();
        if text.len() <= 200 && is_plain(stem) {
            Ok(Self(text.into()))
        } else {
            Err(PathError::new(text))
        }
    }
}

/// Whether a text is a valid, non-hidden path component.
pub(crate) fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Where a published data file is: `calls/call_date=2024-03-11/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath {
    /// The table of its rows.
    pub table: TableName,
    /// Its partition of the table.
    pub partition: Partition,
    /// Its name in the partition's folder.
    pub name: FileName,
}

impl FilePath {
    /// The path of a table's file without rows.
    pub(crate) fn without_rows(table: TableName, partition: Partition) -> Self {
        let name = FileName::without_rows();
        Self {
            table,
            partition,
            name,
        }
    }

    /// Whether this is the name of a table's file without rows.
    pub(crate) fn is_without_rows(&self) -> bool {
        self.name.as_str() == WITHOUT_ROWS
    }

    /// The folder it is in.
    #[must_use]
    pub fn folder(&self) -> LakePath {
        LakePath(format!(
            "{}/{}={}",
            self.table,
            self.table.partition_column(),
            self.partition
        ))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            partition,
            name,
        } = self;
        write!(f, "{table}/{}={partition}/{name}", table.partition_column())
    }
}

impl FromStr for FilePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let parse = || {
            let mut steps = text.split('/');
            let table = steps.next()?;
            let table = TableName::ALL
                .into_iter()
                .find(|known| known.as_str() == table)?;
            let partition = steps.next()?.strip_prefix(table.partition_column())?;
            let partition = partition.strip_prefix('=')?.parse().ok()?;
            let name = steps.next()?.parse().ok()?;
            steps.next().is_none().then_some(Self {
                table,
                partition,
                name,
            })
        };
        parse().ok_or_else(|| PathError::new(text))
    }
}

/// A path relative to the lake's root. Constructed only here, so this list has every path of the lake.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LakePath(String);

impl LakePath {
    /// The folder of the commit log.
    #[must_use]
    pub fn commits() -> Self {
        Self("_export/commits".into())
    }

    /// One commit's record. Twenty digits, so that names sort like numbers.
    #[must_use]
    pub fn commit(sequence: u64) -> Self {
        Self(format!("_export/commits/{sequence:020}.json"))
    }

    /// The folder of the checkpoints.
    #[must_use]
    pub fn checkpoints() -> Self {
        Self("_export/checkpoints".into())
    }

    /// The ledger as of one commit.
    #[must_use]
    pub fn checkpoint(sequence: u64) -> Self {
        Self(format!("_export/checkpoints/{sequence:020}.ledger"))
    }

    /// The marker of the last published commit.
    #[must_use]
    pub fn published() -> Self {
        Self("_export/published.json".into())
    }

    /// The number and checksum of the newest commit. Outside of `_export`, so that a restored older
    /// copy of it is detected.
    #[must_use]
    pub fn newest() -> Self {
        Self("_newest.json".into())
    }

    /// The identity of the lake.
    #[must_use]
    pub fn identity() -> Self {
        Self("_export/lake.json".into())
    }

    /// The mark of a demo lake, from before lakes had identities.
    #[must_use]
    pub fn demo() -> Self {
        Self("_export/demo.json".into())
    }

    /// The folder of the day files.
    #[must_use]
    pub fn days() -> Self {
        Self("_export/days".into())
    }

    /// The file of one day.
    #[must_use]
    pub fn day(date: NaiveDate) -> Self {
        Self(format!("_export/days/{date}.json"))
    }

    /// The markers of the days that are complete.
    #[must_use]
    pub fn complete_days() -> Self {
        Self("_export/complete".into())
    }

    /// The marker of one day: there while the day is complete.
    #[must_use]
    pub fn complete_day(date: NaiveDate) -> Self {
        Self(format!("_export/complete/{date}"))
    }

    /// The folder of all staging folders.
    #[must_use]
    pub fn staging() -> Self {
        Self("_export/staging".into())
    }

    /// The staging folder of one run.
    #[must_use]
    pub fn staging_of(run: &RunId) -> Self {
        Self(format!("_export/staging/{run}"))
    }

    /// A data file before it is published.
    #[must_use]
    pub fn staged(run: &RunId, name: &FileName) -> Self {
        Self(format!("_export/staging/{run}/{name}"))
    }

    /// The reports of all runs.
    #[must_use]
    pub fn runs() -> Self {
        Self("_export/runs".into())
    }

    /// The report of one run.
    #[must_use]
    pub fn run_report(run: &RunId) -> Self {
        Self(format!("_export/runs/{run}.json"))
    }

    /// A file with rejected records of one run.
    ///
    /// # Errors
    /// When the name is not made of letters, digits, `-`, `_` and `.`.
    pub fn rejects(run: &RunId, name: &str) -> Result<Self, PathError> {
        if is_plain(name) {
            Ok(Self(format!("_export/rejects/{run}/{name}")))
        } else {
            Err(PathError::new(name))
        }
    }

    /// The rejects of one run.
    pub(crate) fn rejects_of(run: &RunId) -> Self {
        Self(format!("_export/rejects/{run}"))
    }

    /// The rejects of all runs.
    #[must_use]
    pub fn all_rejects() -> Self {
        Self("_export/rejects".into())
    }

    /// Everything that is not table data.
    #[must_use]
    pub fn export() -> Self {
        Self("_export".into())
    }

    /// The pins of all readers.
    #[must_use]
    pub fn pins() -> Self {
        Self("_export/pins".into())
    }

    /// The record of one pin.
    #[must_use]
    pub fn pin(id: &PinId) -> Self {
        Self(format!("_export/pins/{id}.json"))
    }

    /// The folder with a pin's hard links.
    #[must_use]
    pub fn pin_folder(id: &PinId) -> Self {
        Self(format!("_export/pins/{id}"))
    }

    /// The folder for files that repairs set aside.
    #[must_use]
    pub fn quarantines() -> Self {
        Self("_export/quarantine".into())
    }

    /// The path under which a run sets a file aside.
    #[must_use]
    pub fn quarantine(run: &RunId, path: &Self) -> Self {
        Self(format!("_export/quarantine/{run}/{path}"))
    }

    /// Prefix of the folders of `doctor`'s probes.
    pub(crate) const PROBE: &str = "doctor-";

    /// The folder of a `doctor` probe.
    #[must_use]
    pub fn probe(run: &RunId) -> Self {
        Self(format!("_export/{}{run}", Self::PROBE))
    }

    /// The folder of a table's data files.
    #[must_use]
    pub fn table(table: TableName) -> Self {
        Self(table.as_str().into())
    }

    /// That the tables are Delta tables, too.
    #[must_use]
    pub fn delta_state() -> Self {
        Self("_export/delta.json".into())
    }

    /// The Delta log of a table.
    #[must_use]
    pub fn delta_log(table: TableName) -> Self {
        Self(format!("{table}/{DELTA_LOG}"))
    }

    /// One version in it.
    #[must_use]
    pub fn delta_version(table: TableName, version: u64) -> Self {
        Self(format!("{table}/{DELTA_LOG}/{version:020}.json"))
    }

    /// The state of one version in it.
    #[must_use]
    pub fn delta_checkpoint(table: TableName, version: u64) -> Self {
        Self(format!(
            "{table}/{DELTA_LOG}/{version:020}.checkpoint.parquet"
        ))
    }

    /// The name of the newest of those.
    #[must_use]
    pub fn delta_last_checkpoint(table: TableName) -> Self {
        Self(format!("{table}/{DELTA_LOG}/_last_checkpoint"))
    }

    /// Whether it is in the Delta log of a table.
    pub(crate) fn is_in_delta_log(&self) -> bool {
        let mut steps = self.0.split('/');
        steps.next().and_then(TableName::parse).is_some() && steps.next() == Some(DELTA_LOG)
    }

    /// One step down. For names that a listing of this folder gave.
    pub(crate) fn join(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// The place of a finding, which `verify` made from a path.
    pub(crate) fn found(place: &str) -> Self {
        Self(place.to_owned())
    }

    /// The folder it is in.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (folder, _) = self.0.rsplit_once('/')?;
        Some(Self(folder.to_owned()))
    }

    /// The path, with `/` between steps.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LakePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&FilePath> for LakePath {
    fn from(path: &FilePath) -> Self {
        Self(path.to_string())
    }
}

/// The id of a pin: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PinId(Box<str>);

impl PinId {
    /// A new unique id.
    pub(crate) fn random() -> Self {
        Self(crate::clock::random_id().into())
    }
}

impl fmt::Display for PinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PinId {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() <= 100 && is_plain(text) {
            Ok(Self(text.into()))
        } else {
            Err(PathError::new(text))
        }
    }
}

/// Whether a name is a run id as this program makes them: `20240318T003000Z-k3x9qa`.
pub(crate) fn is_run_id(name: &str) -> bool {
    let Some((time, tail)) = name.split_once('-') else {
        return false;
    };
    let is_time = time.len() == "20240318T003000Z".len()
        && time.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let is_tail = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_time && (4..=40).contains(&tail.len()) && tail.bytes().all(is_tail)
}

/// Whether a run id read from outside can be a folder's name.
pub(crate) fn is_safe_run_id(run: &RunId) -> bool {
    run.as_str().len() <= 100 && is_plain(run.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_is_refused() {
        let path: FilePath = "calls/call_date=2024-03-11/a.parquet"
            .parse()
            .expect("valid");
        let day = "2024-03-11".parse().expect("valid");
        assert_eq!(path.partition, Partition::Date(day));
        let outside = "calls/call_date=2024-03-11/../../x.parquet";
        assert!(outside.parse::<FilePath>().is_err());
    }

    #[test]
    fn a_partition_of_a_day_has_ten_characters() {
        for text in [
            "2024-03-11",
            "0001-01-01",
            "1899-12-31",
            "9999-12-31",
            UNKNOWN_PARTITION,
        ] {
            assert_eq!(text.parse::<Partition>().expect(text).to_string(), text);
        }
        for text in [
            "+10000-01-01",
            "-0001-01-01",
            "2024-3-11",
            "2024-03-11 ",
            "24-03-11",
            "",
        ] {
            assert!(text.parse::<Partition>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_data_file_is_found_again_by_its_path() {
        for text in [
            "calls/call_date=2024-03-11/r-000001.parquet",
            "tasks/task_date=__HIVE_DEFAULT_PARTITION__/r-000001.parquet",
        ] {
            let path: FilePath = text.parse().expect("valid");
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn run_ids_are_known_by_their_form() {
        assert!(is_run_id(crate::clock::Clock::system().run_id().as_str()));
        for name in [
            "mine",
            "alice",
            "export-0.1.0",
            "20240318",
            "20240318T003000Z",
            "20240318T003000Z-",
            "20240318T003000Z-../../x",
            "20240318T003000Z-K3X9QA",
            "2024-0318T003000Z-k3x9qa",
        ] {
            assert!(!is_run_id(name), "{name}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for text in [
            "",
            "calls/call_date=2024-03-11/../x.parquet",
            "calls/call_date=2024-03-11/a/x.parquet",
            "calls/call_date=2024-3-11/x.parquet",
            "calls/task_date=2024-03-11/x.parquet",
            "secrets/call_date=2024-03-11/x.parquet",
            "calls/call_date=2024-03-11/.parquet",
            "calls/call_date=2024-03-11/_x.parquet",
            "calls/call_date=2024-03-11/x.csv",
            "/calls/call_date=2024-03-11/x.parquet",
        ] {
            assert!(text.parse::<FilePath>().is_err(), "{text}");
        }
        assert!(!is_safe_run_id(&RunId::new("../../etc").expect("an id")));
        assert!(LakePath::rejects(&RunId::new("r").expect("an id"), "../x").is_err());
    }
}
