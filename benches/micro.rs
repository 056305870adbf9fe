//! The pieces of the hot path alone, in MB of answers a second: `cargo bench --bench micro`.

#[allow(dead_code, reason = "the whole of it is for the comparison")]
#[path = "compare/answers.rs"]
mod answers;

use std::hint::black_box;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use airudder_export::parts::Clock;
use airudder_export::parts::RowGroupEncoder;
use airudder_export::parts::TableName;
use airudder_export::parts::{
    AnswerContext, AnswerSplitter, Batch, EntryBatch, RecordDecoder, RowDay, Rows, SplitOptions,
};
use airudder_export::parts::{DecodeOptions, Encodings, WriteOptions};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const SPLIT: SplitOptions = SplitOptions {
    batch_bytes: 1 << 20,
    max_record_bytes: 16 << 20,
};

fn nonzero(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}

fn runs(answers: &[Vec<u8>]) -> Vec<EntryBatch> {
    let run = |answer: &Vec<u8>| {
        let mut split = AnswerSplitter::new(SPLIT);
        split.push(answer).expect("JSON");
        split.finish().expect("whole").rest
    };
    answers.iter().map(run).collect()
}

fn decode(decoder: &mut RecordDecoder, runs: &[EntryBatch]) -> Rows {
    let mut rows = Rows::default();
    for (ordinal, run) in (0..).zip(runs) {
        let context = AnswerContext {
            ordinal,
            task_id: format!("{ordinal:032x}").into(),
            run_id: "20240401T000000Z-bench1".into(),
            extracted_at_micros: 1_711_929_600_000_000,
            fallback_day: RowDay::Unknown,
        };
        decoder.decode(run, &context, &mut rows);
    }
    rows
}

fn micro(criterion: &mut Criterion) {
    // All languages and styles, on two days.
    let shape = answers::Shape {
        tasks: 300,
        calls: 100,
        tasks_per_workflow: 50,
        days: 30,
        call_days: 1,
    };
    let set: Vec<Vec<u8>> = (0..20)
        .map(|number| {
            let mut out = Vec::new();
            answers::Answer::new(&shape.task(number)).whole(&mut out);
            out
        })
        .collect();
    let bytes: usize = set.iter().map(Vec::len).sum();
    let runs = runs(&set);
    let mut decoder = RecordDecoder::new(&DecodeOptions {
        source_timezone: Some("Asia/Jakarta".parse().expect("a zone")),
        partition_timezone: "UTC".parse().expect("a zone"),
        max_record_bytes: nonzero(SPLIT.max_record_bytes),
        max_reject_bytes: std::num::NonZeroU64::MAX,
    });
    let options = WriteOptions {
        memory_budget_bytes: nonzero(64 << 20),
        row_group_bytes: nonzero(32 << 20),
        target_file_bytes: NonZeroU64::new(256 << 20).expect("not zero"),
        max_open_files: nonzero(64),
        compression_level: 1,
        commit_calls: NonZeroU64::new(1_000_000).expect("not zero"),
        commit_interval: Duration::from_mins(5),
        encodings: Encodings::default(),
        bloom_filters: Vec::new(),
        workers: nonzero(1),
        file_mode: None,
    };
    let encoder = RowGroupEncoder::new(&options, &Clock::system().run_id()).expect("schemas fit");
    let batches = decode(&mut decoder, &runs).take().expect("valid arrays");

    let mut group = criterion.benchmark_group("answers");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("split", |bencher| {
        bencher.iter(|| {
            for answer in &set {
                let mut split = AnswerSplitter::new(SPLIT);
                for piece in answer.chunks(64 << 10) {
                    split.push(piece).expect("JSON");
                }
                black_box(split.finish().expect("whole"));
            }
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| black_box(decode(&mut decoder, &runs)));
    });
    group.bench_function("build", |bencher| {
        let make = || decode(&mut decoder, &runs);
        bencher.iter_batched(
            make,
            |mut rows| black_box(rows.take().expect("valid arrays")),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("encode", |bencher| {
        bencher.iter_batched(
            || batches.clone(),
            |batches| {
                for name in TableName::ALL {
                    let of_table: Vec<Batch> = batches
                        .iter()
                        .filter(|batch| batch.table == name)
                        .cloned()
                        .collect();
                    black_box(encoder.encoded_bytes(name, of_table).expect("columns fit"));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    targets = micro
}
criterion_main!(benches);
