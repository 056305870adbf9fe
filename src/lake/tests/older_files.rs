//! Data files that were written before their tables got another column.

use parquet::arrow::arrow_writer::ArrowWriterOptions;
use rstest::rstest;

use super::*;
use crate::lake::tests::real::{RealRow, batch, findings, live_rows, replacement, rows};
use crate::schema::table;

/// The place of the `nth` column of a table that may be null.
fn nullable(name: TableName, nth: usize) -> usize {
    let schema = table(name).arrow_schema();
    let fields = schema.fields().iter().enumerate();
    let mut nullable = fields.filter(|(_, field)| field.is_nullable());
    nullable.nth(nth).expect("it has so many").0
}

/// Stages rows as a build did that did not have this column.
fn stage_without(writer: &LakeWriter, name: TableName, rows: &[RealRow], added: usize) -> DataFile {
    let batch = batch(name, rows);
    let others: Vec<usize> = (0..batch.num_columns()).filter(|at| *at != added).collect();
    let batch = batch.project(&others).unwrap();
    let partition = Partition::Date(DAY.parse().unwrap());
    let staged = writer.store().stage(name, partition).unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut parquet = ArrowWriter::try_new_with_options(staged, batch.schema(), options).unwrap();
    parquet.write(&batch).unwrap();
    let staged = parquet.into_inner().unwrap();
    staged.finish(rows.len() as u64).unwrap()
}

/// Rows as text, this column being null.
fn with_null(name: TableName, rows: &[RealRow], column: usize) -> Vec<String> {
    let batch = batch(name, rows);
    let mut columns = batch.columns().to_vec();
    columns[column] = arrow_array::new_null_array(columns[column].data_type(), rows.len());
    let batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
    let rows = 0..batch.num_rows();
    rows.map(|row| format!("{:?}", batch.slice(row, 1).columns()))
        .collect()
}

#[rstest]
#[case::at_the_begin(0)]
#[case::among_the_others(2)]
#[tokio::test]
async fn rows_are_carried_over_into_the_columns_of_today(#[case] nth: usize) {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let run = writer.store().run_id().clone();
    let mut first = CommitDraft::new(run, CommitKind::Append, 0);
    for name in TableName::ALL {
        let both = [rows(name, "a", 0), rows(name, "b", 60)].concat();
        let file = stage_without(&writer, name, &both, nullable(name, nth));
        first.files.push(file);
    }
    first.tasks = ["a", "b"].map(|id| committed(id, DAY)).into();
    commit(&mut writer, first).await;
    let again = replacement(&writer, "a", 120).await;
    commit(&mut writer, again).await;
    writer.close().await.unwrap();
    assert_eq!(findings(&scene).await, Vec::new());
    for name in TableName::ALL {
        let live = live_rows(&scene, name).await;
        let carried = with_null(name, &rows(name, "b", 60), nullable(name, nth));
        for row in &carried {
            assert!(live.contains(row), "{name}: {row} is none of {live:?}");
        }
        assert_eq!(live.len(), carried.len() + rows(name, "a", 120).len());
    }
}
