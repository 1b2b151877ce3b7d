//! Amounts of money: stored as cents, which sort and add as they are.

use truststream_kernel::value::money::canonical;
use truststream_kernel::{Result, Type};

/// Whether a type is that of amounts.
pub(crate) fn is_money(ty: &Type) -> bool {
    matches!(ty, Type::Other(name) if name == "money")
}

/// The cents of an amount.
///
/// # Errors
/// Those of wrong literals.
pub(crate) fn cents(text: &str) -> Result<i64> {
    // Its one form has two decimals, and signs that say nothing more.
    let digits: String = canonical(text)?.chars().filter(|sign| !matches!(sign, '$' | ',' | '.')).collect();
    digits.parse().map_err(|error| {
        truststream_kernel::Error::internal("an amount of money can't be stored").with_source(error)
    })
}

/// The text of so many cents.
///
/// # Errors
/// None: every number of cents is an amount.
pub(crate) fn text(cents: i64) -> Result<String> {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    canonical(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
}
