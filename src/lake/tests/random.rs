//! Random changes and crashes: the lake always equals a model in memory.

use std::collections::BTreeSet;

use super::*;

/// What the lake should hold: the mark of each task's rows, and which tasks are sealed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    marks: BTreeMap<String, String>,
    sealed: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Model {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (id, mark) in &self.marks {
            for table in TableName::ALL {
                for (id, [detail, index, _], mark) in rows_of(table, &[id], mark) {
                    let (detail, index) = match table {
                        TableName::Calls => (detail, 0),
                        TableName::Tasks => (0, 0),
                        _ => (detail, index),
                    };
                    rows.push((table, id, detail, index, mark));
                }
            }
        }
        rows.sort();
        rows
    }
}

/// Drafts a random change, and the model after it.
async fn change(
    writer: &LakeWriter,
    model: &Model,
    random: &mut fastrand::Rng,
    mark: &str,
) -> (CommitDraft, Model) {
    let mut after = model.clone();
    let (run, base) = (
        writer.store().run_id().clone(),
        writer.ledger().last_sequence(),
    );
    let mut any = model.marks.keys().map(String::as_str).collect::<Vec<_>>();
    random.shuffle(&mut any);
    let draft = match (random.u8(0..5), any.first()) {
        (0, Some(id)) => {
            after.marks.insert((*id).to_owned(), mark.to_owned());
            after.sealed.insert((*id).to_owned());
            replacement(writer, id, mark).await
        }
        (1, Some(_)) => compaction(writer),
        (2, _) => {
            let mut draft = CommitDraft::new(run, CommitKind::Observe, base);
            for _ in 0..3 {
                let id = format!("open {}", random.u8(0..6));
                draft.open.push(open_task(&id, DAY, "2024-03-12"));
                after.open.insert(id);
            }
            if let Some(gone) = model.open.iter().next() {
                draft.forgotten.push(task_id(gone));
                after.open.remove(gone);
            }
            draft
        }
        _ => {
            let ids = [format!("{mark} a"), format!("{mark} b")];
            let refs = [ids[0].as_str(), ids[1].as_str()];
            let day = ["2024-03-10", DAY, "2024-03-12"][random.usize(0..3)];
            let mut draft = draft(writer, CommitKind::Append, day, &refs, mark);
            for (task, id) in draft.tasks.iter_mut().zip(&ids) {
                task.sealed = random.u8(0..3) > 0;
                after.marks.insert(id.clone(), mark.to_owned());
                if task.sealed {
                    after.sealed.insert(id.clone());
                }
            }
            draft
        }
    };
    (draft, after)
}

#[tokio::test]
async fn whatever_happens_the_lake_holds_each_task_once() {
    for seed in 0..25 {
        let mut random = fastrand::Rng::with_seed(seed);
        let scene = Scene::new();
        let mut model = Model::default();
        let mut writer = scene.writer("r0").await;
        for step in 1..=10 {
            let (draft, after) = change(&writer, &model, &mut random, &format!("m{step}")).await;
            if random.bool() {
                let point = Failpoint::ALL[random.usize(3..Failpoint::ALL.len())];
                writer.store().failpoints().stop_at(point, random.u32(1..4));
            }
            let before = writer.ledger().last_sequence();
            if writer.commit(draft).await.is_err() {
                drop(writer);
                let (_, listed) = (scene.reader().await, scene.listed().await);
                assert!(
                    listed == model.rows() || listed == after.rows(),
                    "{seed} {step}"
                );
                writer = scene.writer(&format!("r{step}")).await;
            }
            if writer.ledger().last_sequence() > before {
                model = after;
            }
            assert_eq!(scene.glob(), model.rows(), "seed {seed}, step {step}");
            assert_eq!(writer.ledger().sealed_count(), model.sealed.len() as u64);
        }
        // A fresh look at the log knows what the writer knew.
        let fresh = scene.reader().await;
        let summaries = |ledger: &Ledger| {
            ledger
                .days()
                .filter_map(|day| ledger.day_summary(day))
                .collect::<Vec<_>>()
        };
        assert_eq!(summaries(fresh.ledger()), summaries(writer.ledger()));
        assert_eq!(fresh.ledger().live_files(), writer.ledger().live_files());
        writer.close().await.unwrap();
        scene.assert_sound().await;
        assert_eq!(scene.staging(), Vec::<String>::new());
    }
}
