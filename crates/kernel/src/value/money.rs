//! `money`, as PostgreSQL reads and writes it in the locale `C`: dollars with two decimals.

use std::cmp::Ordering;

use super::fault;
use crate::{Error, Result};

/// The one text of an amount: `-$1,234.50`.
///
/// # Errors
/// 22P02 for what is none, 22003 for more than 64 bits of cents, 0A000 for the signs of other locales.
pub fn canonical(text: &str) -> Result<String> {
    let cents = cents(text)?;
    let whole = (cents.unsigned_abs() / 100).to_string();
    let mut out = String::from(if cents < 0 { "-$" } else { "$" });
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&format!(".{:02}", cents.unsigned_abs() % 100));
    Ok(out)
}

/// Orders amounts; what is none by its text.
pub fn compare(left: &str, right: &str) -> Ordering {
    match (cents(left), cents(right)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

fn cents(text: &str) -> Result<i64> {
    if !text.is_ascii() {
        return Err(Error::unsupported(format!("\"{text}\" is money of another locale")));
    }
    let trimmed = text.trim_matches(super::is_space);
    let (negative, rest) = match trimmed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => (true, inner),
        None => signed(trimmed),
    };
    let rest = rest.strip_prefix('$').unwrap_or(rest);
    let (negative, rest) = if negative { (true, rest) } else { signed(rest) };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = |part: &str, others: &str| part.chars().all(|c| c.is_ascii_digit() || others.contains(c));
    let any = rest.bytes().any(|byte| byte.is_ascii_digit());
    if !any || !digits(whole, ",") || !digits(fraction, "") {
        return Err(fault::syntax("money", text));
    }
    let mut cents: i128 = 0;
    let decimals = fraction.bytes().chain(*b"00").take(2);
    for digit in whole.bytes().filter(u8::is_ascii_digit).chain(decimals) {
        cents = cents.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    if fraction.as_bytes().get(2).is_some_and(|digit| *digit >= b'5') {
        cents = cents.saturating_add(1);
    }
    let cents = if negative { -cents } else { cents };
    i64::try_from(cents)
        .map_err(|_| fault::number_out_of_range(format!("value \"{text}\" is out of range for type money")))
}

fn signed(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_one_text() {
        for (text, wanted) in [
            ("3.99", "$3.99"),
            ("$60000", "$60,000.00"),
            ("-1234567.895", "-$1,234,567.90"),
            ("($1.5)", "-$1.50"),
            ("$-2", "-$2.00"),
            (" .5 ", "$0.50"),
            ("0", "$0.00"),
            ("-92233720368547758.08", "-$92,233,720,368,547,758.08"),
        ] {
            assert_eq!(canonical(text).unwrap(), wanted, "{text}");
        }
        for (text, code) in
            [("", "22P02"), ("$", "22P02"), ("1e3", "22P02"), ("a", "22P02"), ("3,99 €", "0A000")]
        {
            assert_eq!(canonical(text).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(canonical("92233720368547758.08").unwrap_err().code(), "22003");
        assert_eq!(compare("$9.00", "$10.00"), Ordering::Less);
    }
}
