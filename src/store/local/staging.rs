//! A run's folder of staged files; the lock in it shows that the run is alive.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::disk::{self, LOCK};
use super::ours;
use crate::store::error::StoreError;
use crate::store::sign::Sign;

/// The folder of a run, locked while this value exists.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    /// Until the folder is removed.
    lock: Mutex<Option<File>>,
}

impl Staging {
    /// Creates the folder with `make` and takes its lock. `None` if another run owns the folder,
    /// that is, if `make` did not create it.
    pub(crate) fn open(
        folder: PathBuf,
        make: impl Fn(&Path) -> Result<bool, StoreError>,
    ) -> Result<Option<Self>, StoreError> {
        let path = folder.join(LOCK);
        let lock = loop {
            if !make(&folder)? {
                return Ok(None);
            }
            // Until it is locked, another process may mistake the new folder for that of a dead run.
            match disk::lock(&path) {
                Ok(lock) if disk::is_same_file(&lock, &path)? => break lock,
                Err(error) if !disk::is_of_missing(&error) => return Err(error),
                _ => {}
            }
        };
        // For people: the lock shows that the run is alive, not the content of its file.
        let _ = (&lock).write_all(&Sign::of_us().to_json());
        Ok(Some(Self::held(folder, lock)))
    }

    fn held(folder: PathBuf, lock: File) -> Self {
        Self {
            folder,
            lock: Mutex::new(Some(lock)),
        }
    }

    /// Takes over the folder of a dead run. `None` if its run is alive, or another process has
    /// taken it. An empty folder without a lock is being created or removed: it is removed, and
    /// does not count as a dead run.
    pub(crate) fn take_dead(folder: PathBuf) -> Result<Option<Self>, StoreError> {
        match ours::open_ours(&folder.join(LOCK))? {
            Some(lock) => Self::claim(folder, lock),
            // Another user's; or a run ended before it had a lock, and the folder is empty.
            None => disk::remove_empty_folder(&folder).map(|()| None),
        }
    }

    /// Takes over a folder whose lock file is open, unless another process holds the lock, or the
    /// folder was removed and its name reused.
    fn claim(folder: PathBuf, lock: File) -> Result<Option<Self>, StoreError> {
        let path = folder.join(LOCK);
        let is_ours = disk::try_lock(&lock, &path)? && disk::is_same_file(&lock, &path)?;
        Ok(is_ours.then(|| Self::held(folder, lock)))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes staged files, then the lock, and the folder unless it holds other files. Returns the
    /// number of files.
    pub(crate) fn remove(
        &self,
        mut each: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        for entry in disk::list(&self.folder)? {
            if !entry.is_folder && ours::is_staged(&entry.name) {
                removed += u64::from(disk::remove(&self.folder.join(entry.name))?);
                each()?;
            }
        }
        disk::remove(&self.folder.join(LOCK))?;
        // NFS and FUSE rename an open file that is removed, and keep it in the folder.
        let held = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(held);
        disk::remove_empty_folder(&self.folder)?;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{fs, thread};

    use super::*;
    use crate::store::local::probe::LINKS;

    /// Enough that each of the ways in which they can meet happens many times.
    const ROUNDS: u32 = 1_000;

    fn make(folder: &Path) -> Result<bool, StoreError> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(StoreError::io("create folder", folder)(error))
            }
            _ => Ok(true),
        }
    }

    #[test]
    fn whatever_a_run_puts_into_its_folder_goes_when_it_is_dead() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join("run");
        make(&folder).expect("a folder can be made");
        let names = [
            LOCK,
            LINKS[0],
            LINKS[1],
            "000001.tmp",
            "000002.jsonl",
            "000003.raw",
        ];
        for name in names {
            fs::write(folder.join(name), "").expect("written");
        }
        let dead = Staging::take_dead(folder.clone()).expect("no fault");
        let removed = dead.expect("its lock is free").remove(|| Ok(()));
        assert_eq!(removed.expect("removed"), 5);
        assert!(!folder.exists());
    }

    #[test]
    fn a_folder_without_a_lock_is_removed_only_while_it_is_empty() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join("run");
        make(&folder).expect("a folder can be made");
        let taken = Staging::take_dead(folder.clone()).expect("no fault");
        assert!(taken.is_none() && !folder.exists(), "{taken:?}");
        make(&folder).expect("a folder can be made");
        let file = folder.join("000001.parquet");
        fs::write(&file, "rows").expect("written");
        let taken = Staging::take_dead(folder).expect("no fault");
        assert!(taken.is_none(), "{taken:?}");
        assert_eq!(fs::read(file).expect("it stays"), b"rows");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_no_regular_file_is_left_alone_without_waiting() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        for kind in ["fifo", "link"] {
            let folder = root.path().join(kind);
            make(&folder).expect("a folder can be made");
            let lock = folder.join(LOCK);
            if kind == "fifo" {
                let made = std::process::Command::new("mkfifo").arg(&lock).status();
                assert!(made.expect("every Unix has it").success());
            } else {
                std::os::unix::fs::symlink("/dev/zero", &lock).expect("linked");
            }
            let taken = Staging::take_dead(folder).expect("no fault");
            assert!(taken.is_none(), "{taken:?}");
            assert!(fs::symlink_metadata(lock).is_ok(), "{kind} stays");
        }
    }

    #[test]
    fn who_is_late_for_a_dead_runs_folder_does_not_take_that_of_a_living_one() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join("run");
        make(&folder).expect("a folder can be made");
        let late = disk::open_lock(&folder.join(LOCK)).expect("a file can be made");
        let dead = Staging::take_dead(folder.clone()).expect("no fault");
        dead.expect("the lock is free")
            .remove(|| Ok(()))
            .expect("no fault");
        let living = Staging::open(folder.clone(), make)
            .expect("no fault")
            .expect("it is made");
        let taken = Staging::claim(folder, late).expect("no fault");
        assert!(taken.is_none(), "{taken:?} lives, as {living:?}");
    }

    #[test]
    fn a_folder_that_is_taken_for_a_dead_runs_while_it_is_made_is_its_runs_alone_in_the_end() {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join("run");
        let is_over = AtomicBool::new(false);
        let take = || -> Result<(), StoreError> {
            while !is_over.load(Ordering::Relaxed) {
                if let Some(dead) = Staging::take_dead(folder.clone())? {
                    dead.remove(|| Ok(()))?;
                }
            }
            Ok(())
        };
        // Nothing is synced, so that they meet often.
        let open = || -> Result<(), StoreError> {
            for _ in 0..ROUNDS {
                let ours = Staging::open(folder.clone(), make)?.expect("it is made");
                let staged = folder.join("000001.parquet");
                fs::write(&staged, "rows").map_err(StoreError::io("write", &staged))?;
                assert_eq!(ours.remove(|| Ok(()))?, 1, "what a living run stages stays");
            }
            Ok(())
        };
        thread::scope(|scope| {
            let takers = [scope.spawn(take), scope.spawn(take)];
            let opener = scope.spawn(open).join();
            is_over.store(true, Ordering::Relaxed);
            for taker in takers {
                taker.join().expect("no panic").expect("no fault");
            }
            opener.expect("no panic").expect("no fault");
        });
    }
}
