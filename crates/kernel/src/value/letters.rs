//! Upper and lower case as PostgreSQL has them: letter by letter, and a letter whose other case is not a single
//! one stays as it is.

/// The capital letter of a small one; any other sign as it is.
pub fn upper(c: char) -> char {
    let mut letters = c.to_uppercase();
    letters.next().filter(|_| letters.next().is_none()).unwrap_or(c)
}

/// The small letter of a capital one; any other sign as it is.
pub fn lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut letters = c.to_lowercase();
    letters.next().filter(|_| letters.next().is_none()).unwrap_or(c)
}

/// A text in capital letters.
pub fn to_upper(text: &str) -> String {
    text.chars().map(upper).collect()
}

/// A text in small letters.
pub fn to_lower(text: &str) -> String {
    text.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::{to_lower, to_upper};

    #[test]
    fn every_letter_counts_by_itself() {
        assert_eq!(to_upper("straße ΣΟΦός ŉ"), "STRAßE ΣΟΦΌΣ ŉ");
        assert_eq!(to_lower("ΣΟΦΟΣ İX"), "σοφοσ ix");
    }
}
