//! Rejects and values that did not fit, by the day of their task's scheduled start.
//!
//! A day counts them as it counts its tasks: what a task's rows and answers left is on the day that
//! the commit gave the task, and goes away when the rows are replaced. Rejected answers of a task that
//! failed are counted until it is pulled again. Keys are numbered in the order of the log.

use super::day_counts::Days;
use super::task_state::UnsealedTask;
use crate::decode::OTHER_KEYS;
use crate::lake::day::DayMisfit;
use crate::lake::record::misfits::{MisfitKey, Unfit};
use crate::lake::record::summary::RecordSummary;

/// Keys that days count individually. Further ones are counted together, by table and kind.
const MAX_KEYS: usize = 5_000;

impl Days {
    /// Counts what a commit says of its tasks and of the rows that it replaces.
    pub(super) fn count_unfit(&mut self, summary: &RecordSummary) {
        let numbers: Vec<u32> = (summary.misfit_keys.iter())
            .map(|key| self.key_number(key.clone()))
            .collect();
        for (day, unfit) in &summary.unfit {
            let counted = &mut self.touched(*day).unfit;
            counted.rejects = counted.rejects.saturating_add(unfit.rejects);
            for (key, count) in &unfit.misfits {
                let counted = counted.misfits.entry(numbers[*key as usize]).or_default();
                *counted = counted.saturating_add(*count);
            }
        }
        for day in &summary.superseded {
            let counted = &mut self.touched(day.day).unfit;
            counted.rejects = counted.rejects.saturating_sub(day.rejects);
            for misfit in &day.misfits {
                let number = numbers[misfit.key as usize];
                if let Some(count) = counted.misfits.get_mut(&number) {
                    *count = count.saturating_sub(misfit.count);
                }
            }
            counted.misfits.retain(|_, count| *count > 0);
        }
    }

    /// Counts the rejected answers of a task that failed, or no longer counts them.
    pub(super) fn count_failure(&mut self, known: &UnsealedTask, counts: bool) {
        let rejects = known.failure.as_ref().map_or(0, |failure| failure.rejects);
        if rejects > 0 {
            let counted = &mut self.touched(known.task.day).unfit.rejects;
            *counted = if counts {
                counted.saturating_add(rejects)
            } else {
                counted.saturating_sub(rejects)
            };
        }
    }

    /// The number of a key. Once there are too many, a new one is never counted individually, so that
    /// what is added and what is taken away have the same number.
    fn key_number(&mut self, mut key: MisfitKey) -> u32 {
        if self.misfit_keys.len() >= MAX_KEYS && !self.misfit_keys.contains(&key) {
            OTHER_KEYS.clone_into(&mut key.key);
        }
        let (number, _) = self.misfit_keys.insert_full(key);
        u32::try_from(number).expect("some thousand, and one for each table and kind")
    }

    /// The misfits of a day, by table, key and kind.
    pub(super) fn misfits(&self, unfit: &Unfit) -> Vec<DayMisfit> {
        let lines = unfit.misfits.iter().filter_map(|(number, count)| {
            let key = self.misfit_keys.get_index(*number as usize)?.clone();
            Some(DayMisfit { key, count: *count })
        });
        let mut lines: Vec<DayMisfit> = lines.collect();
        lines.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        lines
    }
}
