//! Runs the fuzz targets on the committed corpora, without a fuzzer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustuya_fuzz::{TARGETS, seeds};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

fn files(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = corpus().join(target);
    fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.expect("a readable folder");
            let bytes = fs::read(entry.path()).expect("a readable file");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect()
}

#[test]
fn every_corpus_replays() {
    for target in TARGETS {
        let files = files(target.name);
        assert!(files.len() >= 10, "{}: {} inputs", target.name, files.len());
        for (name, bytes) in files {
            println!("{}/{name}", target.name);
            (target.run)(&bytes);
        }
    }
}

#[test]
fn damaged_seeds_replay() {
    // First mutations of a fuzzer: one byte more, one less, one bit flipped.
    for target in TARGETS {
        for (name, bytes) in files(target.name) {
            println!("{}/{name}", target.name);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                (target.run)(&damaged);
                (target.run)(&bytes[..at]);
            }
        }
    }
}

#[test]
fn every_target_has_a_program_and_every_corpus_its_seeds() {
    let programs = corpus().join("../fuzz_targets");
    let mut found: Vec<String> = fs::read_dir(programs)
        .expect("the folder of the targets")
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut named: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    named.sort_unstable();
    assert_eq!(found, named);
    for seed in seeds() {
        let committed = files(seed.target);
        assert_eq!(
            committed.get(&seed.name),
            Some(&seed.bytes),
            "fuzz/corpus/{}/{} is out of date: run `cargo run -p rustuya-fuzz --example seed`",
            seed.target,
            seed.name
        );
    }
}
