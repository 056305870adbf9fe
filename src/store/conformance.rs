//! Conformance suite for the commit protocol's requirements on a store: the same tests for a disk,
//! memory and real servers.
//!
//! The unit tests of this crate run it on a folder and in memory, the integration tests on servers
//! that they start. It is not part of a release; `probe` contains the checks that `doctor` runs.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use futures_util::future::join_all;
use parquet::file::reader::ChunkReader as _;

use super::backend::Store;
use super::blocking::blocking;
use super::data_file::DataFile;
use super::error::StoreError;
use super::outcome::{Published, PutOutcome};
use super::path::{LakePath, Partition};
use super::run::RunStore;
use crate::job::Destination;
use crate::schema::TableName;
use crate::task::RunId;

/// Number of concurrent attempts.
const RIVALS: u32 = 8;
/// Several parts of an upload, and several blocks when it is read.
const LARGE_BYTES: usize = (11 << 20) + 77;

/// Runs the whole suite at a destination without a lake.
///
/// # Errors
/// When the store fails.
///
/// # Panics
/// If it does not conform.
pub async fn conform(dest: &Destination, runs: [RunId; 2]) -> Result<(), StoreError> {
    let [run, other] = runs;
    let store = RunStore::open(Store::new(dest)?, run).await?;
    nothing_is_nothing(&store).await?;
    a_name_is_given_once(&store).await?;
    updates_are_not_lost(&store).await?;
    files_are_invisible_until_published(&store).await?;
    a_large_file_is_read_by_pieces(&store).await?;
    what_was_withdrawn_can_be_sent_again(&store).await?;
    things_are_moved_aside(&store).await?;
    rejects_get_to_their_place(&store).await?;
    a_living_run_is_seen(&store, other).await?;
    store.clone().close().await?;
    let left = store.list_files(&LakePath::staging()).await?;
    assert_eq!(left, [], "a run leaves nothing");
    Ok(())
}

async fn nothing_is_nothing(store: &RunStore) -> Result<(), StoreError> {
    let path = LakePath::commit(7);
    assert_eq!(store.get(&path).await?, None);
    assert_eq!(store.size(&path).await?, None);
    assert_eq!(store.metadata(&path).await?, None);
    let (reader, absent) = (store.clone(), path.clone());
    assert!(blocking(move || reader.open(&absent)).await?.is_none());
    let nowhere = LakePath::found("nowhere");
    assert_eq!(store.list(&nowhere).await?, []);
    assert_eq!(store.list_files(&nowhere).await?, []);
    // Not every store reports that it was missing; none may fail.
    store.remove(&path).await?;
    Ok(())
}

async fn a_name_is_given_once(store: &RunStore) -> Result<(), StoreError> {
    for number in 1..=5 {
        let path = LakePath::commit(number);
        let tries = (0..RIVALS).map(|rival| {
            let bytes = Bytes::from(format!("{number} of {rival}"));
            store.put_if_absent(&path, bytes)
        });
        let mut winners = Vec::new();
        for (put, rival) in join_all(tries).await.into_iter().zip(0..) {
            if put? == PutOutcome::Created {
                winners.push(rival);
            }
        }
        let [winner] = winners[..] else {
            panic!("{} won a name at once", winners.len());
        };
        let late = store.put_if_absent(&path, Bytes::from_static(b"late"));
        assert_eq!(late.await?, PutOutcome::Taken);
        let kept = store.get(&path).await?.expect("it was just written");
        assert_eq!(kept, format!("{number} of {winner}").into_bytes());
    }
    let names = store.list(&LakePath::commits()).await?.into_iter();
    let expected = (1..=5).map(|number| format!("{number:020}.json"));
    assert!(
        names.map(|entry| entry.name).eq(expected),
        "a listing lacks something"
    );
    Ok(())
}

async fn updates_are_not_lost(store: &RunStore) -> Result<(), StoreError> {
    let path = LakePath::published();
    let number = |bytes: Option<&[u8]>| -> u32 {
        bytes.map_or(0, |bytes| {
            let text = std::str::from_utf8(bytes).expect("digits");
            text.parse().expect("a number")
        })
    };
    let more = move |present: Option<&[u8]>| Some((number(present) + 1).to_string().into_bytes());
    for updated in join_all((0..RIVALS).map(|_| store.update(&path, more))).await {
        assert!(updated?, "it was replaced");
    }
    assert!(!store.update(&path, |_| None).await?, "it was left alone");
    let counted = store.get(&path).await?;
    assert_eq!(number(counted.as_deref()), RIVALS, "updates were lost");
    Ok(())
}

/// A finished file of these bytes.
async fn staged(store: &RunStore, bytes: Vec<u8>) -> Result<DataFile, StoreError> {
    let store = store.clone();
    blocking(move || {
        let day = Partition::Date("2024-03-11".parse().expect("a date"));
        let mut file = store.stage(TableName::Calls, day)?;
        let written = file.write_all(&bytes);
        written.map_err(StoreError::io("write", file.place()))?;
        file.finish(1)
    })
    .await
}

async fn publish(store: &RunStore, file: &DataFile) -> Result<Published, StoreError> {
    let (path, upload) = (file.path(), file.upload.as_ref());
    store.publish(store.run_id(), &path, upload).await
}

async fn files_are_invisible_until_published(store: &RunStore) -> Result<(), StoreError> {
    let mut files = Vec::new();
    for text in ["one", "two", "three"] {
        files.push(staged(store, text.as_bytes().to_vec()).await?);
    }
    let table = LakePath::table(TableName::Calls);
    store.sync_staged(&mut files).await?;
    assert_eq!(
        store.list_files(&table).await?,
        [],
        "they are visible early"
    );
    for file in &files {
        assert_eq!(store.size(&LakePath::from(&file.path())).await?, None);
        assert_eq!(publish(store, file).await?, Published::Moved);
        assert_eq!(
            store.size(&LakePath::from(&file.path())).await?,
            Some(file.bytes)
        );
        // As after a crash. A store may report that it published again.
        assert_ne!(publish(store, file).await?, Published::Gone);
    }
    let folders: BTreeSet<LakePath> = files.iter().map(|file| file.path().folder()).collect();
    store.sync_folders(folders).await?;
    assert_eq!(store.list_files(&table).await?.len(), 3);
    let listed = store.list(&table).await?;
    let names: Vec<_> = listed
        .iter()
        .map(|e| (e.name.as_str(), e.is_folder))
        .collect();
    assert_eq!(names, [("call_date=2024-03-11", true)]);
    // A superseded file never returns, even if it is published again later.
    let gone = LakePath::from(&files[0].path());
    assert!(store.remove(&gone).await?);
    // Some servers respond with an error of their own.
    let _ = publish(store, &files[0]).await;
    assert_eq!(store.size(&gone).await?, None);
    store.forget_notes().await
}

async fn a_large_file_is_read_by_pieces(store: &RunStore) -> Result<(), StoreError> {
    let bytes: Vec<u8> = (0..LARGE_BYTES)
        .map(|at| (at * 7 + at / 251).to_le_bytes()[0])
        .collect();
    let mut files = [staged(store, bytes.clone()).await?];
    store.sync_staged(&mut files).await?;
    assert_eq!(publish(store, &files[0]).await?, Published::Moved);
    let (store, path) = (store.clone(), LakePath::from(&files[0].path()));
    blocking(move || {
        let file = store.open(&path)?.expect("it was published");
        assert_eq!(file.bytes(), LARGE_BYTES as u64);
        let ends = [1, 4096, (4 << 20) - 1, 4 << 20, (9 << 20) + 5, LARGE_BYTES];
        for end in ends {
            for start in [0, end / 2, end - 1] {
                let read = file.get_bytes(start as u64, end - start).expect("readable");
                assert!(
                    read == bytes[start..end],
                    "{start}..{end} is not as written"
                );
            }
        }
        let mut whole = Vec::new();
        let read = file.read_from(3).read_to_end(&mut whole);
        read.map_err(StoreError::io("read", file.place()))?;
        assert!(whole == bytes[3..], "it is not as written");
        Ok(())
    })
    .await
}

async fn what_was_withdrawn_can_be_sent_again(store: &RunStore) -> Result<(), StoreError> {
    let mut files = [staged(store, b"again".to_vec()).await?];
    store.sync_staged(&mut files).await?;
    store.withdraw(&mut files).await?;
    assert_eq!(files[0].upload, None);
    store.sync_staged(&mut files).await?;
    assert_eq!(publish(store, &files[0]).await?, Published::Moved);
    let dropped = staged(store, b"dropped".to_vec()).await?;
    store.unstage(&dropped).await?;
    assert_eq!(store.staged_size(&dropped).await?, None);
    store.forget_notes().await
}

async fn things_are_moved_aside(store: &RunStore) -> Result<(), StoreError> {
    let (from, to) = (
        LakePath::found("calls/stray"),
        LakePath::found("_export/aside/stray"),
    );
    store.replace(&from, b"half".to_vec()).await?;
    store.replace(&from, b"whole".to_vec()).await?;
    let metadata = store.metadata(&from).await?.expect("it was just written");
    assert_eq!(metadata.bytes, 5);
    store.move_aside(&from, &to).await?;
    assert_eq!(store.get(&from).await?, None);
    assert_eq!(store.get(&to).await?.as_deref(), Some(b"whole".as_slice()));
    store.replace(&from, b"other".to_vec()).await?;
    let refused = store.move_aside(&from, &to).await;
    assert!(refused.is_err(), "what was there was written over");
    assert_eq!(store.get(&to).await?.as_deref(), Some(b"whole".as_slice()));
    store.remove(&from).await.map(drop)
}

async fn rejects_get_to_their_place(store: &RunStore) -> Result<(), StoreError> {
    let rejecting = store.clone();
    blocking(move || {
        let mut rejects = rejecting.stage_reject("jsonl")?;
        rejects.append(b"{}\n")?;
        rejects.finish().map(drop)
    })
    .await?;
    let found = store.list_files(&LakePath::all_rejects()).await?;
    let [path] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(store.get(path).await?.as_deref(), Some(b"{}\n".as_slice()));
    Ok(())
}

async fn a_living_run_is_seen(store: &RunStore, run: RunId) -> Result<(), StoreError> {
    let staging = LakePath::staging_of(&run);
    let living = RunStore::open((**store).clone(), run).await?;
    assert!(!store.is_dead(&staging).await?);
    assert!(store.take_dead(&staging).await?.is_none());
    living.close().await?;
    assert!(store.is_dead(&staging).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_local_disk_conforms() {
        let folder = tempfile::tempdir().expect("a folder");
        let dest = Destination::Local(folder.path().join("lake"));
        let runs = ["a", "b"].map(|id| RunId::new(id).expect("an id"));
        conform(&dest, runs).await.expect("it works");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_conforms() {
        let cloud = crate::lake::tests::object::ObjectLake::new();
        let dest = cloud.dest(std::time::Duration::from_hours(1));
        let runs = ["a", "b"].map(|id| RunId::new(id).expect("an id"));
        conform(&dest, runs).await.expect("it works");
        assert_eq!(cloud.objects.open_uploads(), 0);
    }
}
