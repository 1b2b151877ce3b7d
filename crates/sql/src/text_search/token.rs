//! Texts cut into tokens as PostgreSQL's default parser cuts them.

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
}

/// What is done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is stemmed.
    Word,
    /// Numbers, addresses and words with digits stay as they are.
    AsIs,
}

/// The tokens of a text. Parts of addresses and of hyphenated words follow the whole.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if first == '<' {
            tag(rest)
        } else if first == '&' {
            entity(rest)
        } else if first.is_alphanumeric() || signed(rest, &text[..text.len() - rest.len()]) {
            special(rest, &mut out).unwrap_or_else(|| word(rest, &mut out))
        } else if let Some(length) = path(rest) {
            push(&mut out, Kind::AsIs, &rest[..length]);
            length
        } else {
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

fn push<'t>(out: &mut Vec<Token<'t>>, kind: Kind, text: &'t str) {
    out.push(Token { kind, text });
}

fn while_in(text: &str, inside: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c: char| !inside(c)).unwrap_or(text.len());
    &text[..end]
}

/// Length of a mark-up tag, which is no word; that of the bracket if it is none.
fn tag(rest: &str) -> usize {
    let opens = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    rest.find('>').filter(|_| opens).map_or(1, |end| end + 1)
}

fn entity(rest: &str) -> usize {
    let name = while_in(&rest[1..], |c| c.is_ascii_alphanumeric() || c == '#');
    if !name.is_empty() && rest[1 + name.len()..].starts_with(';') { name.len() + 2 } else { 1 }
}

/// Whether a number with its sign begins here: not behind a word.
fn signed(rest: &str, before: &str) -> bool {
    let mut signs = rest.chars();
    matches!(signs.next(), Some('-' | '+'))
        && signs.next().is_some_and(|c| c.is_ascii_digit())
        && !before.ends_with(char::is_alphanumeric)
}

/// A file's path that begins with a slash.
fn path(rest: &str) -> Option<usize> {
    let name = while_in(rest.strip_prefix('/')?, is_path);
    name.starts_with(char::is_alphanumeric).then_some(name.len() + 1)
}

fn is_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '~')
}

/// Addresses, paths and numbers; their length, if it is one.
fn special<'t>(rest: &'t str, out: &mut Vec<Token<'t>>) -> Option<usize> {
    for scheme in ["http://", "https://", "ftp://"] {
        if rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return address(&rest[scheme.len()..], out).map(|length| scheme.len() + length);
        }
    }
    number(rest, out).or_else(|| mail(rest, out)).or_else(|| address(rest, out)).or_else(|| {
        let name = while_in(rest, is_path).trim_end_matches(['.', '-']);
        let separator = name.find('/')?;
        name[separator + 1..].starts_with(char::is_alphanumeric).then(|| {
            push(out, Kind::AsIs, name);
            name.len()
        })
    })
}

fn mail<'t>(rest: &'t str, out: &mut Vec<Token<'t>>) -> Option<usize> {
    let user = while_in(rest, |c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
    let host = host(rest[user.len()..].strip_prefix('@')?)?;
    let length = user.len() + 1 + host.len();
    push(out, Kind::AsIs, &rest[..length]);
    Some(length)
}

/// `example.com`, and what follows it as its path.
fn address<'t>(rest: &'t str, out: &mut Vec<Token<'t>>) -> Option<usize> {
    let host = host(rest)?;
    let behind = &rest[host.len()..];
    let path = while_in(behind, |c| is_path(c) || matches!(c, '?' | '=' | '&' | '%' | '#' | ':' | '+' | ','));
    let path = if path.starts_with('/') { path.trim_end_matches(['.', ',', '?']) } else { "" };
    if path.len() > 1 {
        push(out, Kind::AsIs, &rest[..host.len() + path.len()]);
        push(out, Kind::AsIs, host);
        push(out, Kind::AsIs, path);
    } else {
        push(out, Kind::AsIs, host);
    }
    Some(host.len() + path.len())
}

fn host(rest: &str) -> Option<&str> {
    let name = while_in(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let name = name.trim_end_matches(['.', '-']);
    let last = name.rsplit_once('.')?.1;
    let labels = name.split('.').all(|label| !label.is_empty());
    let whole = !rest[name.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (labels && whole && last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(name)
}

/// `12`, `-1.5`, `1e9`, `1.2.3`; not the beginning of a word such as `2nd`.
fn number<'t>(rest: &'t str, out: &mut Vec<Token<'t>>) -> Option<usize> {
    let unsigned = rest.trim_start_matches(['-', '+']);
    let mut length = rest.len() - unsigned.len();
    length += while_in(unsigned, |c| c.is_ascii_digit() || c == '.').trim_end_matches('.').len();
    if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
        let digits = exponent.trim_start_matches(['-', '+']);
        let width = while_in(digits, |c| c.is_ascii_digit()).len();
        if width > 0 {
            length += 1 + exponent.len() - digits.len() + width;
        }
    }
    let behind = rest[length..].chars().next();
    let is_number = rest[..length].contains(|c: char| c.is_ascii_digit())
        && !behind.is_some_and(|c| c.is_alphanumeric() || c == '@');
    is_number.then(|| {
        push(out, Kind::AsIs, &rest[..length]);
        length
    })
}

/// A word, hyphenated or not.
fn word<'t>(rest: &'t str, out: &mut Vec<Token<'t>>) -> usize {
    let first = while_in(rest, char::is_alphanumeric);
    let mut length = first.len();
    let mut parts = vec![first];
    while let Some(next) = rest[length..].strip_prefix('-') {
        let part = while_in(next, char::is_alphanumeric);
        if part.is_empty() || part.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        parts.push(part);
        length += 1 + part.len();
    }
    if parts.len() > 1 {
        push(out, kind_of(&rest[..length]), &rest[..length]);
    }
    for part in parts {
        push(out, kind_of(part), part);
    }
    length
}

fn kind_of(word: &str) -> Kind {
    if word.contains(char::is_numeric) { Kind::AsIs } else { Kind::Word }
}
