//! From object keys to paths of a store.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but letters, digits and a few harmless marks is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'=').remove(b'@');

/// The path of a key below the store's root. No key can name anything outside it: separators other
/// than `/`, control characters, and segments such as `..` are encoded.
pub fn to_path(key: &str) -> String {
    key.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn segment(text: &str) -> String {
    if text.chars().all(|c| c == '.') {
        return if text.is_empty() { "%".to_owned() } else { text.replace('.', "%2E") };
    }
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The key of a path made by [`to_path`].
pub fn from_path(path: &str) -> Option<String> {
    let keys: Option<Vec<_>> = path
        .split('/')
        .map(|text| {
            if text == "%" {
                return Some(String::new());
            }
            percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
        })
        .collect();
    keys.map(|keys| keys.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_back_and_none_escapes() {
        for key in [
            "a/b.txt",
            "../../etc/passwd",
            "/abs",
            "a//b",
            "a\\..\\b",
            "%2e%2e/x",
            "nul\0",
            "über 文.png",
            ".",
        ] {
            let path = to_path(key);
            assert_eq!(from_path(&path).as_deref(), Some(key));
            assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{path}");
        }
    }
}
