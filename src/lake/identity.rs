//! The identity of a lake: `_export/lake.json`, written once, before the first commit.
//!
//! ```json
//! {"format_version": 1, "lake_id": "5f0c…", "source": "airudder_outbound_tasks", "demo": false,
//!  "host": "api.airudder.com", "partition_timezone": "UTC", "account": "hmac-sha256:9b1d…"}
//! ```
//! A run describes itself in a [`Claim`]; a mismatch with the lake is refused, since the calls of
//! two accounts in one lake can't be separated afterwards. The first run that knows a missing value
//! fills it in. The account is the HMAC-SHA-256 of the `APPKey` under the lake's random id: it
//! reveals neither the key nor whether two lakes share an account. The `APPSecret` is not part of
//! it, so it can be rotated.
//!
//! Hosts are compared without port, path and letter case. All names of this machine count as one
//! host, [`LOOPBACK`]: a local listener (`sandbox`, a tunnel, a test) changes port or spelling each
//! time, and its address does not identify the service; the account still does.
//!
//! The time zone is recorded for display and for an early refusal. The commit log is authoritative,
//! and no flag mixes days of two zones in one lake; a lake without commits accepts another zone.
//!
//! This module never stores the key or the secret, and never shows the account.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::error::LakeError;
use crate::clock::random_key;
use crate::job::{Job, Secret};
use crate::store::{LakePath, Store, StoreError};

/// The version of the file that this program writes, and the highest that it reads.
const FORMAT_VERSION: u32 = 1;
/// What kind of tasks this program brings into a lake.
const SOURCE: &str = "airudder_outbound_tasks";
/// How the hosts of this machine are written.
pub const LOOPBACK: &str = "loopback";
/// The largest accepted identity file.
const MAX_BYTES: u64 = 64 * 1024;
/// The flag that accepts another account or host once.
const ACCEPT: &str = "--accept-lake-change";

/// The content of `_export/lake.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    format_version: u32,
    /// Random, and never changed.
    pub lake_id: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// What kind of tasks the lake holds.
    pub source: String,
    /// The calls are invented: `demo` made it.
    #[serde(default)]
    pub demo: bool,
    /// The API's host, without port. Not known as long as only saved answers were taken.
    #[serde(default)]
    pub host: Option<String>,
    /// The zone of days and partitions.
    pub partition_timezone: String,
    /// A keyed hash of the account. Not known as `host`.
    #[serde(default)]
    account: Option<String>,
    /// Unknown fields of a later version, kept as they are.
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

/// The part of an identity that is shown: everything but the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownIdentity {
    /// A random id of the lake.
    pub lake_id: String,
    /// What kind of tasks the lake holds.
    pub source: String,
    /// The host of the API; null if none was known.
    pub host: Option<String>,
    /// The zone of days and partitions.
    pub partition_timezone: String,
    /// Whether `demo` created it.
    pub demo: bool,
}

impl From<Identity> for ShownIdentity {
    fn from(identity: Identity) -> Self {
        Self {
            lake_id: identity.lake_id,
            source: identity.source,
            host: identity.host,
            partition_timezone: identity.partition_timezone,
            demo: identity.demo,
        }
    }
}

impl fmt::Display for ShownIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lake {}, ", self.lake_id)?;
        match &self.host {
            Some(host) => write!(f, "calls from {host}")?,
            None => f.write_str("calls from saved answers")?,
        }
        write!(f, ", days in {}", self.partition_timezone)?;
        if self.demo {
            f.write_str(", made by demo")?;
        }
        Ok(())
    }
}

/// What a run knows about itself.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Where it pulls from; nothing for saved answers from who knows where.
    pub host: Option<String>,
    /// `APPKey` of the account. `None` if no key is set.
    pub app_key: Option<Secret>,
    /// The zone of days and partitions.
    pub zone: Tz,
    /// It is the demo.
    pub demo: bool,
    /// What host and account are not known is filled in with these. Not by saved answers: they may
    /// be of another account than the one of the settings.
    pub fills: bool,
    /// Another account or host is accepted, and written down.
    pub accepts: bool,
}

/// The host of an address as it is compared.
#[must_use]
pub fn host_of(url: &Url) -> Option<String> {
    let is_ours = match url.host()? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            return Some(if name == "localhost" || name.ends_with(".localhost") {
                LOOPBACK.to_owned()
            } else {
                name.to_owned()
            });
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    Some(if is_ours {
        LOOPBACK.to_owned()
    } else {
        url.host_str()?.to_owned()
    })
}

/// The identity of a lake; nothing for one that has none (yet).
///
/// # Errors
/// When it can't be read, is damaged (65), or a newer version wrote it.
pub async fn read_identity(store: &Store) -> Result<Option<Identity>, LakeError> {
    let path = LakePath::identity();
    let Some(size) = store.size(&path).await? else {
        return Ok(None);
    };
    if size > MAX_BYTES {
        return Err(damaged(store, "it is too long"));
    }
    if !store.is_regular(&path).await? {
        // Reading a FIFO would block until a process writes to it.
        return Err(damaged(store, "it is no regular file"));
    }
    let Some(bytes) = store.get(&path).await? else {
        return Ok(None);
    };
    parse(store, &bytes).map(Some)
}

fn parse(store: &Store, bytes: &[u8]) -> Result<Identity, LakeError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Result<Version, _> = serde_json::from_slice(bytes);
    if let Ok(Version { format_version }) = version
        && format_version > FORMAT_VERSION
    {
        return Err(LakeError::NewerFormat {
            path: store.locate(&LakePath::identity()),
            found: format_version,
            known: FORMAT_VERSION,
        });
    }
    // What the parser says may quote the file.
    let identity: Identity = serde_json::from_slice(bytes).map_err(|error| {
        let place = format!(
            "it can't be read (line {}, column {})",
            error.line(),
            error.column()
        );
        damaged(store, &place)
    })?;
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let account = identity.account.as_deref();
    let account = account.map(|account| account.strip_prefix(ACCOUNT).unwrap_or_default());
    if !is_hex(&identity.lake_id, 32) || !account.is_none_or(|account| is_hex(account, 64)) {
        return Err(damaged(
            store,
            "`lake_id` or `account` is not what was written",
        ));
    }
    Ok(identity)
}

pub(super) fn damaged(store: &Store, what: &str) -> LakeError {
    let path = store.locate(&LakePath::identity());
    let text = format!(
        "{what}, so the owner of this lake is unknown. Restore it from a backup; or, if the lake is \
         this account's, run once with {ACCEPT}, which writes a new one. The lake's data is not \
         concerned"
    );
    LakeError::damaged(&path, text)
}

/// How the keyed hash of an account begins.
const ACCOUNT: &str = "hmac-sha256:";

/// The account under a lake's id.
fn account_of(lake_id: &str, app_key: &Secret) -> String {
    let mut text = ACCOUNT.to_owned();
    for byte in hmac_sha256(lake_id.as_bytes(), app_key.expose().as_bytes()) {
        write!(text, "{byte:02x}").expect("a String takes all");
    }
    text
}

/// RFC 2104. The key is no longer than a block of SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize();
    outer.into()
}

impl Claim {
    /// That of a run which asks the API.
    #[must_use]
    pub fn of(job: &Job, accepts: bool) -> Self {
        let credentials = job.api.credentials.as_ref();
        Self {
            host: host_of(&job.api.base_url),
            app_key: credentials.map(|credentials| credentials.app_key.clone()),
            zone: job.discover.partition_timezone,
            demo: false,
            fills: true,
            accepts,
        }
    }

    /// Refuses a lake of another account or host before it is touched.
    ///
    /// # Errors
    /// [`LakeError::OtherLake`] with what differs, [`LakeError::DemoLake`], or that the identity is
    /// damaged.
    pub async fn check(&self, store: &Store) -> Result<(), LakeError> {
        match self.read(store).await? {
            Some(identity) => self.check_with(store, &identity),
            // Of a version that marked the demo's lakes with a file of their own.
            None if !self.demo && store.size(&LakePath::demo()).await?.is_some() => {
                Err(demo_lake(store))
            }
            None => Ok(()),
        }
    }

    /// The identity; nothing where there is none, or a damaged one that is accepted.
    pub(super) async fn read(&self, store: &Store) -> Result<Option<Identity>, LakeError> {
        match read_identity(store).await {
            Err(LakeError::Store(StoreError::Damaged { .. })) if self.accepts => Ok(None),
            read => read,
        }
    }

    pub(super) fn check_with(&self, store: &Store, lake: &Identity) -> Result<(), LakeError> {
        match (lake.demo, self.demo) {
            (true, false) => return Err(demo_lake(store)),
            (false, true) => return Err(LakeError::NoDemoLake(store.root().to_owned())),
            _ => {}
        }
        if lake.source != SOURCE {
            return Err(LakeError::OtherSource {
                path: store.root().to_owned(),
                lake: lake.source.chars().take(100).collect(),
                ours: SOURCE,
            });
        }
        if self.accepts {
            return Ok(());
        }
        let differences = self.differences(lake);
        if differences.is_empty() {
            return self.check_zone(store, lake);
        }
        Err(LakeError::OtherLake {
            path: store.root().to_owned(),
            differences: differences.join("; "),
            flag: ACCEPT,
        })
    }

    /// As the log does where there are commits, which no flag changes.
    fn check_zone(&self, store: &Store, lake: &Identity) -> Result<(), LakeError> {
        if lake.partition_timezone == self.zone.name() {
            return Ok(());
        }
        Err(LakeError::OtherZone {
            path: store.root().to_owned(),
            lake: lake.partition_timezone.chars().take(100).collect(),
            setting: self.zone.name().to_owned(),
        })
    }

    /// What differs of host and account, in words.
    fn differences(&self, lake: &Identity) -> Vec<String> {
        let mut differences = Vec::new();
        if let (Some(theirs), Some(ours)) = (&lake.host, &self.host)
            && theirs != ours
        {
            differences.push(format!(
                "its calls are from {theirs}, the setting `api.base_url` names {ours}"
            ));
        }
        if let (Some(theirs), Some(key)) = (&lake.account, &self.app_key)
            && *theirs != account_of(&lake.lake_id, key)
        {
            differences.push("it is another account's: its calls came with another APPKey".into());
        }
        differences
    }

    /// A lake of this run's own.
    pub(super) fn identity(&self, made_at: DateTime<Utc>) -> Identity {
        let mut identity = Identity {
            format_version: FORMAT_VERSION,
            lake_id: random_key(),
            made_at,
            source: SOURCE.to_owned(),
            demo: self.demo,
            host: None,
            partition_timezone: self.zone.name().to_owned(),
            account: None,
            more: serde_json::Map::new(),
        };
        self.fill_in(&mut identity);
        identity
    }

    /// Writes into it what is not known yet, and what is accepted.
    pub(super) fn fill_in(&self, lake: &mut Identity) {
        let account = self.app_key.as_ref();
        let account = account.map(|key| account_of(&lake.lake_id, key));
        let fill = |known: &mut Option<String>, ours: Option<String>| {
            let wanted = if known.is_none() {
                self.fills
            } else {
                self.accepts
            };
            if let Some(ours) = ours.filter(|_| wanted) {
                *known = Some(ours);
            }
        };
        fill(&mut lake.host, self.host.clone());
        fill(&mut lake.account, account);
        if self.accepts {
            // Where there are commits, one of another zone is refused by the log.
            self.zone.name().clone_into(&mut lake.partition_timezone);
        }
    }
}

/// The lake is the demo's and the run is not.
fn demo_lake(store: &Store) -> LakeError {
    LakeError::DemoLake(store.root().to_owned())
}

pub(super) fn json_of(identity: &Identity) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(identity).expect("texts are JSON");
    json.push(b'\n');
    json
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://api.airudder.com/", "api.airudder.com")]
    #[case("https://API.AIRudder.com.:8443/prefix", "api.airudder.com")]
    #[case("http://127.0.0.1:40001", LOOPBACK)]
    #[case("http://127.8.8.8:1", LOOPBACK)]
    #[case("http://LOCALHOST:40002/v1", LOOPBACK)]
    #[case("http://[::1]:40003", LOOPBACK)]
    #[case("https://10.0.0.7:40003", "10.0.0.7")]
    #[case("https://localhost.example", "localhost.example")]
    fn hosts_are_compared_without_port_path_and_case(#[case] url: &str, #[case] host: &str) {
        let url: Url = url.parse().expect("an address");
        assert_eq!(host_of(&url).as_deref(), Some(host));
    }

    #[test]
    fn the_keyed_hash_is_that_of_the_standard() {
        // RFC 4231, test case 2.
        let hash = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let expected = 0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7_u128;
        assert_eq!(hash[..16], expected.to_be_bytes());
        let expected = 0x5a00_3f08_9d27_3983_9dec_58b9_64ec_3843_u128;
        assert_eq!(hash[16..], expected.to_be_bytes());
    }

    #[test]
    fn one_account_is_another_text_in_each_lake() {
        let key = Secret::new("the-key".to_owned());
        let [one, other] = [random_key(), random_key()].map(|id| account_of(&id, &key));
        assert_ne!(one, other);
        assert!(!one.contains("the-key"));
    }
}
