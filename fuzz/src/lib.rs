//! What the fuzz targets check, and mutants of the corpus by a seed for where there is no fuzzer.

use truststream_kernel::{Type, Value};
use truststream_services::database::Catalog;
use truststream_services::database::language::{parse_parameters, render_query};
use truststream_sql::schema::{apply, parse};

/// Query strings of the data API: whatever comes is read or refused, and what was read is read again
/// from how it is written.
pub fn parameters(query: &[u8]) {
    let pairs: Vec<_> = url::form_urlencoded::parse(query).collect();
    let Ok(read) = parse_parameters(pairs.iter().map(|(key, value)| (&**key, &**value))) else { return };
    // Not every tree has words, such as one without members.
    let Ok(written) = render_query(&read.query) else { return };
    let again = parse_parameters(written.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    match again {
        Ok(again) => assert_eq!(again.query, read.query, "written as {written:?}"),
        Err(error) => panic!("{error}, written as {written:?}"),
    }
}

/// Migrations as text: whatever comes is applied to a catalog or refused.
pub fn schema(sql: &str) {
    let Ok(statements) = parse(sql) else { return };
    let mut catalog = Catalog::default();
    for statement in &statements {
        if apply(&mut catalog, statement).is_err() {
            return;
        }
    }
}

const TYPES: &[&str] = &[
    "boolean", "integer", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "text", "bytea", "uuid",
    "timestamp with time zone", "timestamp", "date", "time", "interval", "json", "jsonb", "integer[]", "text[]",
    "jsonb[]", "int4range", "tstzrange", "numrange", "tsvector",
];

/// Values as PostgreSQL prints them: whatever comes is read or refused, and what was read is read again
/// from how it is written.
pub fn values(choice: u8, text: &str) {
    let ty = Type::parse(TYPES[usize::from(choice) % TYPES.len()]);
    let Ok(value) = Value::parse(&ty, text) else { return };
    if let Some(written) = value.to_text_as(&ty) {
        let again = Value::parse(&ty, &written);
        assert_eq!(again.ok().and_then(|again| again.to_text_as(&ty)), Some(written), "{ty:?}");
    }
}

/// Changes inputs at random, the same ones for the same seed (SplitMix64).
pub struct Mutator(u64);

impl Mutator {
    pub fn seeded(seed: u64) -> Self {
        Mutator(seed)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as usize).checked_rem(bound).unwrap_or(0)
    }

    /// One of the inputs with a few changes: bytes replaced, removed, doubled, parts of another put in.
    pub fn mutant(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.drain(at..end.max(at))),
                2 => {
                    let part = bytes[at.min(end)..end].to_vec();
                    drop(bytes.splice(at..at, part));
                }
                3 => bytes.insert(at, b"(){}[],.:\"'*!\\ \0eE-+0"[self.below(21)]),
                _ => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(24)).min(other.len());
                    let part = other[from..to].to_vec();
                    drop(bytes.splice(at..at, part));
                }
            }
        }
        bytes
    }
}
