//! Migrations as text: whatever comes is applied to a catalog or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use truststream_services::database::Catalog;
use truststream_sql::schema::{apply, parse};

fuzz_target!(|sql: &str| {
    let Ok(statements) = parse(sql) else { return };
    let mut catalog = Catalog::default();
    for statement in &statements {
        if apply(&mut catalog, statement).is_err() {
            return;
        }
    }
});
