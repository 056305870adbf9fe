//! Two readers that never sleep: one opens whatever is in the tables' folders, one follows `files`.
//! They fail the test when they see part of a file, a row of no commit, a row twice (but for the
//! files that a commit is just replacing), or any state that no commit made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::Value;

use super::Exporter;
use super::lake::TABLES;
use super::shelf::{Shelf, State, commits, published, rows, table_of};

/// What both readers look at.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    shelf: Arc<dyn Shelf>,
    exporter: Exporter,
    /// The states there may be, in their order.
    states: Arc<Vec<State>>,
    /// The last one that was seen.
    reached: Arc<AtomicU64>,
}

impl Watched {
    /// A lake that goes through these states.
    pub(crate) fn new(shelf: Arc<dyn Shelf>, exporter: Exporter, states: Vec<State>) -> Self {
        Self {
            shelf,
            exporter,
            states: Arc::new(states),
            reached: Arc::default(),
        }
    }

    /// Runs both readers again and again while something else happens.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (over, watched) = (&over, self);
            let looped = move |look: fn(&Self)| {
                move || {
                    while !over.load(Ordering::Relaxed) {
                        look(watched);
                    }
                    look(watched);
                }
            };
            let readers = [Self::look_at_folders as fn(&Self), Self::look_at_files]
                .map(|look| scope.spawn(looped(look)));
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            over.store(true, Ordering::Relaxed);
            for reader in readers {
                if let Err(panic) = reader.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            match done {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// What somebody sees who lists the folders and opens all he finds.
    pub(crate) fn look_at_folders(&self) {
        let shelf = &*self.shelf;
        let published = published(shelf);
        let mut found = Vec::new();
        for table in TABLES {
            for path in shelf.list(table) {
                // What vanishes between the two gave way to newer rows.
                if let Some(bytes) = shelf.get(&path) {
                    found.push((rows(&path, bytes), path));
                }
            }
        }
        let records = commits(shelf);
        let named = |path: &String| records.iter().any(|record| adds(record).contains(path));
        let giving_way: Vec<String> = records
            .iter()
            .filter(|record| record["sequence"].as_u64() > Some(published))
            .flat_map(removes)
            .collect();
        let mut seen = HashMap::new();
        for (rows, path) in &found {
            assert!(named(path), "{path} can be seen and no commit names it");
            for row in rows {
                let key = (table_of(path), row.key());
                if let Some(other) = seen.insert(key, path) {
                    let window = giving_way.contains(path) || giving_way.contains(other);
                    assert!(window, "a row is in {path} and in {other}");
                }
            }
        }
    }

    /// What somebody sees who takes the list of `files`.
    pub(crate) fn look_at_files(&self) {
        loop {
            let listed = self.exporter.run(&["files"]).done().stdout;
            if let Some(state) = self.state_of(listed.lines()) {
                let number = self.states.iter().position(|known| *known == state);
                let number = number.unwrap_or_else(|| {
                    panic!("`files` lists a state that no commit made:\n{listed}")
                }) as u64;
                let before = self.reached.fetch_max(number, Ordering::SeqCst);
                assert!(before <= number, "`files` went back to an older state");
                return;
            }
        }
    }

    /// The rows of these files; nothing if one of them gave way meanwhile.
    fn state_of<'a>(&self, listed: impl Iterator<Item = &'a str>) -> Option<State> {
        let mut state: State = TABLES
            .into_iter()
            .map(|table| (table, Vec::new()))
            .collect();
        for line in listed {
            let path = self.shelf.path_of(line);
            let Some(bytes) = self.shelf.get(&path) else {
                // A list is good for as long as nobody replaces its files.
                let gave_way = commits(&*self.shelf)
                    .iter()
                    .any(|r| removes(r).contains(&path));
                assert!(gave_way, "{path} is listed and gone");
                return None;
            };
            state
                .get_mut(table_of(&path))
                .expect("a table")
                .extend(rows(&path, bytes));
        }
        for rows in state.values_mut() {
            rows.sort();
        }
        Some(state)
    }

    /// The state that `files` lists now.
    pub(crate) fn state(&self) -> State {
        let listed = self.exporter.run(&["files"]).done().stdout;
        self.state_of(listed.lines()).expect("nobody writes now")
    }
}

fn adds(record: &Value) -> Vec<String> {
    let list = record["changes"]["files"].as_array();
    let file = |file: &Value| {
        let text = |key: &str| file[key].as_str().expect("a text").to_owned();
        let (table, day, name) = (text("table"), text("partition"), text("name"));
        let column = super::lake::partition_column(&table);
        format!("{table}/{column}={day}/{name}")
    };
    list.into_iter().flatten().map(file).collect()
}

fn removes(record: &Value) -> Vec<String> {
    let list = record["changes"]["removes"].as_array();
    let path = |removal: &Value| removal["path"].as_str().expect("a path").to_owned();
    list.into_iter().flatten().map(path).collect()
}

/// Counts of rows, for messages.
pub(crate) fn counts(state: &State) -> BTreeMap<&'static str, usize> {
    state
        .iter()
        .map(|(table, rows)| (*table, rows.len()))
        .collect()
}
