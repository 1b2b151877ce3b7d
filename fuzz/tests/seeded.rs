//! The corpus and mutants of it, on stable Rust and without a fuzzer: by default the same ones each time,
//! with `TRUSTSTREAM_SEED` and `TRUSTSTREAM_CASES` others and more.

use std::path::Path;

use truststream_fuzz::{Mutator, parameters, schema, values};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let inputs: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!inputs.is_empty(), "no corpus of {target}");
    inputs
}

/// Checks the corpus and its mutants; says with which input a check fails.
fn each(target: &str, share: u64, check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let inputs = corpus(target);
    let mut mutator = Mutator::seeded(number("TRUSTSTREAM_SEED", 1));
    let cases = number("TRUSTSTREAM_CASES", 20_000) / share;
    let mutants: Vec<_> = (0..cases).map(|_| mutator.mutant(&inputs)).collect();
    for input in inputs.iter().chain(&mutants) {
        if std::panic::catch_unwind(|| check(input)).is_err() {
            panic!("{target}: put this into corpus/{target}: {:?}", String::from_utf8_lossy(input));
        }
    }
}

#[test]
fn query_strings() {
    each("parameters", 1, parameters);
}

#[test]
fn migrations() {
    // SQL takes a hundred times as long.
    each("schema", 20, |input| schema(&String::from_utf8_lossy(input)));
}

#[test]
fn texts_of_values() {
    each("values", 1, |input| {
        let Some((choice, text)) = input.split_first() else { return };
        values(*choice, &String::from_utf8_lossy(text));
    });
}
