#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &[u8]| truststream_fuzz::parameters(query));
