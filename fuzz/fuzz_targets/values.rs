//! Values as PostgreSQL prints them: whatever comes is read or refused, and what was read is read again
//! from how it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use truststream_kernel::{Type, Value};

const TYPES: &[&str] = &[
    "boolean", "integer", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "text", "bytea", "uuid",
    "timestamp with time zone", "timestamp", "date", "time", "interval", "json", "jsonb", "integer[]", "text[]",
    "jsonb[]", "int4range", "tstzrange", "numrange", "tsvector",
];

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let ty = Type::parse(TYPES[usize::from(choice) % TYPES.len()]);
    let Ok(value) = Value::parse(&ty, text) else { return };
    if let Some(written) = value.to_text_as(&ty) {
        let again = Value::parse(&ty, &written);
        assert_eq!(again.ok().and_then(|again| again.to_text_as(&ty)), Some(written), "{ty:?}");
    }
});
