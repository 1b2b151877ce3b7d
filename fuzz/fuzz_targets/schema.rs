#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|sql: &str| truststream_fuzz::schema(sql));
