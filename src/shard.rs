//! Shards: several processes that divide the tasks of a lake.
//!
//! The shard of a task depends only on its id and on the number of shards; it is the same on every
//! machine and in every version:
//!
//! > Take the SHA-256 of the task id in UTF-8, read its first 8 bytes as an unsigned big-endian
//! > number, take the remainder of its division by the number of shards, and add 1.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::task::TaskId;

/// An upper bound that catches typos: each shard makes all listings itself.
pub const MAX_SHARDS: u32 = 1024;

/// One shard of several, written `2/4`: the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    count: NonZeroU32,
    /// Counted from 0.
    index: u32,
}

/// The text is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a shard such as 2/4, the second of four: the first number goes from 1 to the \
     second, the second to {MAX_SHARDS}"
)]
pub struct NoShard(String);

impl Shard {
    /// The `number`th (from 1) of `count` shards.
    #[must_use]
    pub fn new(number: u32, count: u32) -> Option<Self> {
        let index = number.checked_sub(1)?;
        let count = NonZeroU32::new(count)?;
        (index < count.get() && count.get() <= MAX_SHARDS).then_some(Self { count, index })
    }

    /// The shard's number, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.index + 1
    }

    /// The number of shards.
    #[must_use]
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// Whether a task belongs to this shard.
    #[must_use]
    pub fn holds(self, task: &TaskId) -> bool {
        self.holds_text(task.as_str())
    }

    /// [`Self::holds`] for other named items.
    pub(crate) fn holds_text(self, text: &str) -> bool {
        let hash = Sha256::digest(text.as_bytes());
        let high = hash
            .iter()
            .take(8)
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        high % u64::from(self.count.get()) == u64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let digits = |text: &str| {
            let text = text.trim();
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())?
        };
        text.split_once('/')
            .and_then(|(number, count)| Self::new(digits(number)?, digits(count)?))
            .ok_or_else(|| NoShard(text.to_owned()))
    }
}

impl TryFrom<String> for Shard {
    type Error = NoShard;

    fn try_from(text: String) -> Result<Self, NoShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().expect("a shard")
    }

    /// Test vectors for independent implementations.
    #[rstest]
    #[case("88ee39e1", 2, 1)]
    #[case("88ee39e1", 4, 1)]
    #[case("88ee39e1", 7, 4)]
    #[case("0123456789abcdef0123456789abcdef", 2, 1)]
    #[case("0123456789abcdef0123456789abcdef", 4, 3)]
    #[case("0123456789abcdef0123456789abcdef", 1000, 23)]
    #[case("task-ä", 3, 2)]
    #[case("x", 1, 1)]
    fn a_task_is_in_the_same_shard_for_ever(
        #[case] task: &str,
        #[case] count: u32,
        #[case] number: u32,
    ) {
        let task = TaskId::new(task).expect("an id");
        for n in 1..=count {
            let shard = Shard::new(n, count).expect("a shard");
            assert_eq!(shard.holds(&task), n == number, "{task} {shard}");
        }
    }

    #[test]
    fn shards_are_of_about_the_same_size() {
        let mut sizes = [0_u32; 4];
        for n in 0..10_000 {
            let task = TaskId::new(&format!("{n:032x}")).expect("an id");
            let holding = (1..=4).filter(|i| shard(&format!("{i}/4")).holds(&task));
            for number in holding {
                sizes[number - 1] += 1;
            }
        }
        assert_eq!(sizes.iter().sum::<u32>(), 10_000);
        assert!(
            sizes.iter().all(|size| (2_350..2_650).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        assert_eq!(shard(" 2 / 4 ").to_string(), "2/4");
        assert_eq!(
            serde_json::to_string(&shard("1024/1024")).unwrap(),
            "\"1024/1024\""
        );
        assert_eq!(
            serde_json::from_str::<Shard>("\"3/7\"").unwrap(),
            shard("3/7")
        );
    }

    #[rstest]
    fn what_is_no_shard_is_refused(
        #[values(
            "",
            "2",
            "/",
            "0/4",
            "5/4",
            "1/0",
            "+1/4",
            "-1/4",
            "1/1025",
            "a/b",
            "1/2/3",
            "99999999999/99999999999"
        )]
        text: &str,
    ) {
        let error = text.parse::<Shard>().expect_err("refused");
        assert!(
            error.to_string().contains("is not a shard such as 2/4"),
            "{error}"
        );
    }
}
