//! Whatever stands in a listing, a sign-in, a file of the lake's own, a job file, a header or a time:
//! nothing panics, and what must hold of what is read does. The fuzz targets try the same for hours.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;

use airudder_export::fuzzing::Reader;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::changes::{change, changed, corpus, words};
use crate::harness::project;

#[test]
fn every_reader_of_outside_bytes_has_a_target_a_corpus_and_a_dictionary() {
    let names: BTreeSet<&str> = Reader::ALL.iter().map(|reader| reader.name()).collect();
    for name in &names {
        assert!(corpus(name).len() > 3 && words(name).len() > 3, "{name}");
    }
    let targets = fs::read_dir(project("fuzz/fuzz_targets")).expect("a folder");
    let targets: BTreeSet<String> = targets
        .map(|target| target.expect("readable").file_name())
        .map(|file| file.to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "answer")
        .collect();
    assert!(targets.iter().eq(names.iter()), "{targets:?}");
}

#[test]
fn every_input_of_the_corpora_is_read_as_it_must_be() {
    for reader in Reader::ALL {
        for (name, input) in corpus(reader.name()) {
            catch_unwind(|| reader.check(&input)).unwrap_or_else(|_| panic!("{name}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(300),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn changed_bytes_are_read_as_they_must_be(
        (reader, changes) in select(&Reader::ALL[..]).prop_flat_map(|reader| {
            // Several inputs for each case: reading one takes microseconds.
            let changes = vec(change(words(reader.name())), 1..6);
            (Just(reader), vec((any::<Index>(), changes), 20))
        }),
    ) {
        let corpus = corpus(reader.name());
        for (at, changes) in changes {
            let (_, input) = corpus[at.index(corpus.len())].clone();
            reader.check(&changed(input, &changes));
        }
    }

    #[test]
    fn any_bytes_are_read_as_they_must_be(bytes in vec(any::<u8>(), 0..200)) {
        for reader in Reader::ALL {
            reader.check(&bytes);
        }
    }
}
