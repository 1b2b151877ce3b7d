//! Text of floating-point numbers, as PostgreSQL prints them: the shortest that reads back.

/// Text of a `double precision`.
pub fn text(value: f64) -> String {
    if is_plain(value, 1e15) {
        return value.to_string();
    }
    special(value).map_or_else(|| finite(&format!("{value:e}"), 15), str::to_owned)
}

/// Text of a `real` that is held as a double.
pub fn text_of_real(value: f64) -> String {
    if is_plain(value, 1e6) {
        return (value as f32).to_string();
    }
    special(value).map_or_else(|| finite(&format!("{:e}", value as f32), 6), str::to_owned)
}

/// The double of a real's shortest decimal text: it reads back as the same real, prints as the
/// real does, and compares as people expect (`0.1`, not `0.10000000149011612`).
pub fn real_as_double(value: f32) -> f64 {
    // A shortest text always reads back; special values print as words that do too.
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Whether a number is surely printed without an exponent, as Rust prints all.
fn is_plain(value: f64, limit: f64) -> bool {
    value == 0.0 || (1e-3..limit / 10.0).contains(&value.abs())
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

/// From Rust's `d.ddde-n` to PostgreSQL's: plain between 1e-4 and 10^digits, else with an exponent
/// of at least two digits.
fn finite(scientific: &str, digits: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        format!("{sign}{digits}{}", "0".repeat(whole - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}
