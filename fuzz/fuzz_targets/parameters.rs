//! Query strings of the data API: whatever comes is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use truststream_services::database::language::parse_parameters;

fuzz_target!(|query: &[u8]| {
    let pairs: Vec<_> = url::form_urlencoded::parse(query).collect();
    let _ = parse_parameters(pairs.iter().map(|(key, value)| (&**key, &**value)));
});
