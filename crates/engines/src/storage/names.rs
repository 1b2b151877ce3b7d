//! What buckets and objects may be called.

use truststream_kernel::Result;

use super::error::{invalid_bucket_name, invalid_key};

/// Longest name of an object in bytes.
const LONGEST: usize = 1024;

/// The marks allowed besides letters, digits and `_` (those that S3 calls safe or tolerable).
const MARKS: &str = "!-.*'() &$@=;:+,?";

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || MARKS.contains(c)
}

/// Refuses names that are empty, too long, have other marks, or climb out of their folder.
pub(super) fn check_object(name: &str) -> Result<()> {
    let allowed = !name.is_empty()
        && name.len() <= LONGEST
        && name.chars().all(|c| c == '/' || is_allowed(c))
        && !name.starts_with('/')
        && name.split('/').all(|part| part != ".." && part != ".");
    if allowed { Ok(()) } else { Err(invalid_key(name)) }
}

/// Refuses bucket names that are empty, too long, have other marks, or begin or end with a space.
pub(super) fn check_bucket(name: &str) -> Result<()> {
    let allowed = !name.is_empty()
        && name.len() <= 100
        && name.chars().all(is_allowed)
        && name.trim() == name
        && name != "."
        && name != "..";
    if allowed { Ok(()) } else { Err(invalid_bucket_name()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_climb_or_carry_control_characters() {
        for name in ["a.txt", "folder/sub folder/x (1).png", "u=1/..a", "a//b"] {
            check_object(name).unwrap();
        }
        for name in
            ["", "../a", "a/../b", "/etc/passwd", "a\0", "a\\b", "a\nb", "ü", "./a", "a/.", "%2e%2e/a"]
        {
            assert_eq!(check_object(name).unwrap_err().code(), "InvalidKey", "{name}");
        }
        check_object(&"a".repeat(1025)).unwrap_err();
        for name in ["", " a", "a/b", "..", "a\0"] {
            assert_eq!(check_bucket(name).unwrap_err().code(), "InvalidBucketName", "{name}");
        }
    }
}
