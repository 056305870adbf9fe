//! How far workflows have been listed, for all tasks and per shard.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::shard::Shard;

/// The progress of listings.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) whole: Option<DateTime<Utc>>,
    pub(super) shards: BTreeMap<Shard, DateTime<Utc>>,
}

impl Listed {
    /// Records a listing that was complete up to a moment.
    pub(super) fn note(&mut self, until: Option<DateTime<Utc>>, shard: Option<Shard>) {
        let Some(until) = until else { return };
        match shard {
            None => self.whole = self.whole.max(Some(until)),
            Some(shard) => {
                let known = self.shards.entry(shard).or_insert(until);
                *known = until.max(*known);
            }
        }
    }

    /// Retracts everything listed from a moment on.
    pub(super) fn retract(&mut self, from: DateTime<Utc>) {
        for until in self.whole.iter_mut().chain(self.shards.values_mut()) {
            *until = from.min(*until);
        }
    }

    /// The latest moment up to which anything was listed.
    pub(super) fn latest(&self) -> Option<DateTime<Utc>> {
        self.shards.values().copied().max().max(self.whole)
    }

    /// The moment up to which all tasks, or those of a shard, were listed. What every shard has listed
    /// is listed for all.
    pub(super) fn until(&self, shard: Option<Shard>) -> Option<DateTime<Utc>> {
        let of_all = |(count, shards): (u32, Vec<DateTime<Utc>>)| {
            (shards.len() == count as usize).then(|| shards.into_iter().min())?
        };
        let mut by_count: BTreeMap<u32, Vec<DateTime<Utc>>> = BTreeMap::new();
        for (shard, until) in &self.shards {
            by_count
                .entry(shard.count().get())
                .or_default()
                .push(*until);
        }
        let together = by_count.into_iter().filter_map(of_all).max();
        let own = shard.and_then(|shard| self.shards.get(&shard).copied());
        self.whole.max(together).max(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(day: u32) -> Option<DateTime<Utc>> {
        format!("2024-03-{day:02}T00:30:00Z").parse().ok()
    }

    fn shard(text: &str) -> Option<Shard> {
        text.parse().ok()
    }

    #[test]
    fn a_shard_goes_on_where_it_ended_and_all_go_on_where_the_last_of_them_ended() {
        let mut listed = Listed::default();
        listed.note(time(10), shard("1/2"));
        assert_eq!(listed.until(shard("1/2")), time(10));
        assert_eq!(listed.until(shard("2/2")), None);
        assert_eq!(listed.until(None), None);
        listed.note(time(12), shard("2/2"));
        assert_eq!(listed.until(shard("2/2")), time(12));
        assert_eq!(listed.until(None), time(10));
        // Another number of shards continues from there as well.
        assert_eq!(listed.until(shard("3/3")), time(10));
        listed.note(time(11), None);
        assert_eq!(listed.until(shard("1/2")), time(11));
        assert_eq!(listed.until(shard("2/2")), time(12));
        listed.note(time(9), shard("2/2"));
        assert_eq!(listed.until(shard("2/2")), time(12));
    }
}
