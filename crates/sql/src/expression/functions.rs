//! The pure functions that translated expressions call, for the SQLite provider to register.
//!
//! Arguments and results are cells as SQLite has them: [`Value::Null`], [`Value::Int`],
//! [`Value::Float`], [`Value::Text`] and [`Value::Bytes`]. Most are strict: null in, null out,
//! before the function is called.

mod arrays;
mod bytes;
mod digests;
mod edits;
mod floats;
mod formats;
mod hashes;
mod json;
mod moments;
mod number_templates;
mod numbers;
mod patterns;
mod spans;
mod templates;
mod texts;

use truststream_kernel::{Error, Result, Value};

/// A function of SQL.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes; -1 for any number.
    pub arguments: i32,
    /// Whether it gives the same whatever the session's time zone.
    pub immutable: bool,
    strict: bool,
    evaluate: fn(&[Value]) -> Result<Value>,
}

impl Function {
    /// Calls it.
    ///
    /// # Errors
    /// PostgreSQL's, such as 22003 for a number out of range.
    pub fn call(&self, arguments: &[Value]) -> Result<Value> {
        if self.strict && arguments.iter().any(|argument| matches!(argument, Value::Null)) {
            return Ok(Value::Null);
        }
        (self.evaluate)(arguments)
    }
}

const fn function(name: &'static str, arguments: i32, evaluate: fn(&[Value]) -> Result<Value>) -> Function {
    Function { name, arguments, immutable: true, strict: true, evaluate }
}

/// One that depends on the session's time zone.
const fn of_session(name: &'static str, arguments: i32, evaluate: fn(&[Value]) -> Result<Value>) -> Function {
    Function { immutable: false, ..function(name, arguments, evaluate) }
}

/// One that nulls mean something to.
const fn of_nulls(name: &'static str, arguments: i32, evaluate: fn(&[Value]) -> Result<Value>) -> Function {
    Function { strict: false, ..function(name, arguments, evaluate) }
}

/// All of them.
pub const FUNCTIONS: &[Function] = &[
    function("ts_age", 2, spans::age),
    function("ts_all", 3, arrays::all),
    function("ts_any", 2, json::any),
    of_nulls("ts_array_append", 2, arrays::append),
    function("ts_array_bound", 2, arrays::bound),
    of_nulls("ts_array_cat", 2, arrays::concatenated),
    of_nulls("ts_array_position", -1, arrays::position),
    of_nulls("ts_array_positions", 2, arrays::positions),
    of_nulls("ts_array_prepend", 2, arrays::prepend),
    of_nulls("ts_array_remove", 2, arrays::remove),
    of_nulls("ts_array_replace", 3, arrays::replace),
    function("ts_array_slice", 3, arrays::slice),
    of_nulls("ts_array_to_string", -1, arrays::to_text),
    function("ts_ascii", 1, texts::ascii),
    function("ts_atan2", 2, floats::atan2),
    function("ts_between_times", 2, spans::between_times),
    function("ts_bit_length", 1, texts::bit_length),
    function("ts_bits", 3, numbers::bits),
    function("ts_bitwise", 4, numbers::bitwise),
    function("ts_chr", 1, texts::chr),
    function("ts_cut", 3, numbers::cut),
    function("ts_date", 1, moments::date),
    function("ts_days_between", 2, moments::days_between),
    function("ts_decode", 2, bytes::decode),
    function("ts_digest", 2, digests::digest),
    function("ts_divisor", 3, numbers::divisor),
    function("ts_element", 2, json::element),
    function("ts_encode", 2, bytes::encode),
    function("ts_extension", 1, texts::extension),
    function("ts_extract", 2, moments::extract),
    function("ts_factorial", 1, numbers::factorial),
    function("ts_filename", 1, texts::filename),
    function("ts_float", 2, floats::unary),
    of_nulls("ts_format", -1, formats::format),
    function("ts_from_epoch", 1, moments::from_epoch),
    function("ts_has_all_keys", 2, json::has_all_keys),
    function("ts_has_any_key", 2, json::has_any_key),
    function("ts_has_key", 2, json::has_key),
    function("ts_hash", 2, hashes::hash),
    function("ts_hash_remainder", -1, hashes::remainder),
    function("ts_initcap", 1, texts::initcap),
    of_session("ts_instant", 1, moments::instant),
    function("ts_instant_in", 2, moments::instant_in),
    function("ts_interval_extract", 2, spans::extract),
    function("ts_interval_scale", 3, spans::scaled),
    function("ts_interval_span", 1, moments::interval_span),
    function("ts_interval_sum", 3, spans::sum),
    function("ts_json_type", 1, json::type_name),
    function("ts_jsonb_concat", 2, edits::concatenated),
    function("ts_jsonb_insert", 4, edits::insert),
    function("ts_jsonb_pretty", 1, edits::pretty),
    function("ts_jsonb_set", 4, edits::set),
    function("ts_jsonb_strip_nulls", 1, edits::strip_nulls),
    function("ts_jsonb_without", 3, edits::without),
    function("ts_jsonb_without_path", 2, edits::remove),
    function("ts_justify", 2, spans::justify),
    function("ts_left", 2, texts::left),
    function("ts_length", 1, texts::length),
    of_session("ts_local", 1, moments::local),
    function("ts_local_in", 2, moments::local_in),
    function("ts_lower", 1, texts::lower),
    function("ts_lpad", -1, texts::lpad),
    function("ts_make_date", 3, spans::make_date),
    function("ts_make_interval", 7, spans::make_interval),
    function("ts_make_time", 3, spans::make_time),
    function("ts_make_timestamp", 6, spans::make_timestamp),
    function("ts_math", 3, numbers::math),
    function("ts_moment_to_char", 2, templates::to_char),
    function("ts_number_to_char", 2, number_templates::to_char),
    function("ts_overlay", -1, texts::overlay),
    function("ts_path", 3, json::path),
    function("ts_power", 2, floats::power),
    function("ts_quote_ident", 1, formats::quote_ident),
    function("ts_quote_literal", 1, formats::quote_literal),
    of_nulls("ts_quote_nullable", 1, formats::quote_nullable),
    function("ts_regexp_count", 4, patterns::count),
    function("ts_regexp_found", 2, patterns::found),
    function("ts_regexp_like", 3, patterns::like),
    function("ts_regexp_match", 3, patterns::first),
    function("ts_regexp_matches", 3, patterns::all),
    function("ts_regexp_replace", 6, patterns::replace),
    function("ts_regexp_split", 3, patterns::split),
    function("ts_regexp_substr", 6, patterns::substring),
    function("ts_repeat", 2, texts::repeat),
    function("ts_reverse", 1, texts::reverse),
    function("ts_right", 2, texts::right),
    function("ts_round", 2, numbers::round),
    function("ts_rpad", -1, texts::rpad),
    of_session("ts_session_shift", 3, moments::session_shift),
    function("ts_shift", 3, moments::shift),
    function("ts_shift_date", 3, moments::shift_date),
    function("ts_shift_time", 3, spans::shift_time),
    function("ts_similar", 3, patterns::similar_to),
    function("ts_split_part", 3, texts::split_part),
    function("ts_starts_with", 2, texts::starts_with),
    of_nulls("ts_string_to_array", -1, arrays::of_text),
    function("ts_substring", -1, texts::substring),
    function("ts_time_between", 2, moments::time_between),
    function("ts_to_date", 2, templates::to_date),
    function("ts_to_hex", 1, numbers::to_hex),
    function("ts_to_timestamp", 2, templates::to_timestamp),
    function("ts_translate", 3, texts::translate),
    function("ts_truncate", 2, moments::truncate),
    function("ts_upper", 1, texts::upper),
];

fn text(arguments: &[Value], index: usize) -> Result<&str> {
    match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(Error::internal("a function was called with something else than a text")),
    }
}

fn integer(arguments: &[Value], index: usize) -> Result<i64> {
    match arguments.get(index) {
        Some(Value::Int(number)) => Ok(*number),
        _ => Err(Error::internal("a function was called with something else than an integer")),
    }
}

fn of_bool(value: bool) -> Value {
    Value::Int(i64::from(value))
}
