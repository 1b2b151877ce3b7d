//! From object keys to paths of a store.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but letters, digits and a few harmless marks is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'=').remove(b'@');

/// Ends the name of a folder, so that a key `a` and a key `a/b` are a file and a folder apart.
const FOLDER: char = '+';
/// Ends a piece of a segment that is too long for one file name; the next piece follows.
const PIECE: char = '~';
/// Longest piece of an encoded segment; file systems take 255 bytes.
const LONGEST: usize = 200;

/// The path of a key below the store's root. No key can name anything outside it: separators other
/// than `/`, control characters, and segments such as `..` are encoded.
pub fn to_path(key: &str) -> String {
    match key.rsplit_once('/') {
        Some((folders, name)) => to_folder(folders) + &segment(name),
        None => segment(key),
    }
}

/// The path of the folder that holds the keys which begin with `folders` and a `/`; ends with `/`.
pub fn to_folder(folders: &str) -> String {
    folders.split('/').map(|folder| format!("{}{FOLDER}/", segment(folder))).collect()
}

fn segment(text: &str) -> String {
    if text.chars().all(|c| c == '.') {
        return if text.is_empty() { "%".to_owned() } else { text.replace('.', "%2E") };
    }
    let mut rest: &str = &utf8_percent_encode(text, ENCODED).to_string();
    let mut out = String::with_capacity(rest.len());
    while rest.len() > LONGEST {
        // The encoded text is ASCII, so it can be divided anywhere.
        let (piece, after) = rest.split_at(LONGEST);
        out.extend([piece, "~/"]);
        rest = after;
    }
    out + rest
}

/// The key of a path made by [`to_path`].
pub fn from_path(path: &str) -> Option<String> {
    let mut key = String::with_capacity(path.len());
    let mut segment = String::new();
    for name in path.split('/') {
        if let Some(piece) = name.strip_suffix(PIECE) {
            segment.push_str(piece);
            continue;
        }
        let (last, folder) = name.strip_suffix(FOLDER).map_or((name, false), |name| (name, true));
        segment.push_str(last);
        if segment != "%" {
            key.push_str(&percent_decode_str(&segment).decode_utf8().ok()?);
        }
        if folder {
            key.push('/');
        }
        segment.clear();
    }
    Some(key)
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
            "a/+/~/%/%25/",
            "",
            &"長".repeat(300),
            &"x".repeat(600),
        ] {
            let path = to_path(key);
            assert_eq!(from_path(&path).as_deref(), Some(key));
            assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{path}");
            assert!(path.split('/').all(|part| part.len() <= 255), "{path}");
        }
    }
}
