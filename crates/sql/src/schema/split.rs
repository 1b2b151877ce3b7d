//! A script cut into statements, each with the line it begins on.

use std::ops::Range;

use truststream_kernel::{Error, ErrorKind, Result};

/// One statement of a script, without its semicolon and the comments before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Line of its first word, from 1.
    pub line: usize,
    /// Its text.
    pub text: &'a str,
}

/// Cuts a script at the semicolons that end statements: not those in quotes, dollar quotes,
/// comments, parentheses or the body of a `begin atomic` function.
///
/// # Errors
/// 42601 with the line, for a quote or comment that nothing closes.
pub fn split(sql: &str) -> Result<Vec<Piece<'_>>> {
    let mut cutter = Cutter { sql, at: 0, start: None, depth: 0, blocks: 0, pieces: Vec::new() };
    while cutter.at < sql.len() {
        cutter.step()?;
    }
    cutter.cut(sql.len());
    Ok(cutter.pieces)
}

struct Cutter<'a> {
    sql: &'a str,
    at: usize,
    start: Option<usize>,
    depth: usize,
    blocks: usize,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Cutter<'a> {
    fn step(&mut self) -> Result<()> {
        let rest = &self.sql[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(()) };
        if first.is_whitespace() {
            self.at += first.len_utf8();
            return Ok(());
        }
        if rest.starts_with("--") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return Ok(());
        }
        if rest.starts_with("/*") {
            return self.skip_comment();
        }
        if self.start.is_none() && first == '\\' {
            // A command of psql, as dumps have them.
            self.at += rest.find('\n').unwrap_or(rest.len());
            return Ok(());
        }
        if first == ';' && self.depth == 0 && self.blocks == 0 {
            self.cut(self.at);
            self.at += 1;
            return Ok(());
        }
        self.start.get_or_insert(self.at);
        match first {
            '\'' => self.skip_quoted('\'', self.escapes()),
            '"' => self.skip_quoted('"', false),
            '$' => self.skip_dollar_quoted(),
            _ if first.is_alphanumeric() || first == '_' => {
                self.word();
                Ok(())
            }
            _ => {
                match first {
                    '(' => self.depth += 1,
                    ')' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.at += first.len_utf8();
                Ok(())
            }
        }
    }

    /// Whether the quote here opens an `E'…'` string.
    fn escapes(&self) -> bool {
        let before = &self.sql.as_bytes()[..self.at];
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        matches!(before.last(), Some(b'e' | b'E')) && !before.iter().rev().nth(1).is_some_and(word)
    }

    fn skip_quoted(&mut self, mark: char, escapes: bool) -> Result<()> {
        let opened = self.at;
        let mut chars = self.sql[self.at + 1..].char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            if escapes && c == '\\' {
                chars.next();
            } else if c == mark {
                if chars.peek().is_some_and(|(_, next)| *next == mark) {
                    chars.next();
                } else {
                    self.at = opened + 1 + offset + 1;
                    return Ok(());
                }
            }
        }
        Err(self.unterminated(opened, "quoted text"))
    }

    fn skip_dollar_quoted(&mut self) -> Result<()> {
        let rest = &self.sql[self.at + 1..];
        let tag = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let number = rest.starts_with(|c: char| c.is_ascii_digit());
        if number || !rest[tag..].starts_with('$') {
            self.at += 1;
            return Ok(());
        }
        let mark = &self.sql[self.at..self.at + tag + 2];
        let body = self.at + mark.len();
        let Some(end) = self.sql[body..].find(mark) else {
            return Err(self.unterminated(self.at, "dollar-quoted text"));
        };
        self.at = body + end + mark.len();
        Ok(())
    }

    fn skip_comment(&mut self) -> Result<()> {
        let opened = self.at;
        let mut depth = 0_usize;
        let bytes = self.sql.as_bytes();
        while self.at < bytes.len() {
            match bytes.get(self.at..self.at + 2) {
                Some(b"/*") => {
                    depth += 1;
                    self.at += 2;
                }
                Some(b"*/") => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(self.unterminated(opened, "comment"))
    }

    fn word(&mut self) {
        let rest = &self.sql[self.at..];
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..length];
        let atomic = word.eq_ignore_ascii_case("atomic") && self.previous_word_is("begin");
        if atomic || (self.blocks > 0 && word.eq_ignore_ascii_case("case")) {
            self.blocks += 1;
        } else if self.blocks > 0 && word.eq_ignore_ascii_case("end") {
            self.blocks -= 1;
        }
        self.at += length;
    }

    fn previous_word_is(&self, word: &str) -> bool {
        let before = self.sql[..self.at].trim_end();
        before.len() >= word.len()
            && before.is_char_boundary(before.len() - word.len())
            && before[before.len() - word.len()..].eq_ignore_ascii_case(word)
    }

    fn cut(&mut self, end: usize) {
        if let Some(start) = self.start.take() {
            let text = self.sql[start..end].trim_end();
            self.pieces.push(Piece { line: self.line(0..start), text });
        }
        self.depth = 0;
    }

    fn line(&self, before: Range<usize>) -> usize {
        self.sql[before].matches('\n').count() + 1
    }

    fn unterminated(&self, at: usize, what: &str) -> Error {
        let line = self.line(0..at);
        Error::new(ErrorKind::InvalidInput, "42601", format!("line {line}: unterminated {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<(usize, &str)> {
        split(sql).unwrap().into_iter().map(|piece| (piece.line, piece.text)).collect()
    }

    #[test]
    fn statements_end_at_their_semicolons() {
        let sql = "-- one; two\nselect ';', \";\", E'\\';', $$;$$, $a$;$$;$a$ /* ; /* ; */ ; */;\n\n\\restrict x\nselect 2";
        let expected =
            vec![(2, "select ';', \";\", E'\\';', $$;$$, $a$;$$;$a$ /* ; /* ; */ ; */"), (5, "select 2")];
        assert_eq!(texts(sql), expected);
    }

    #[test]
    fn bodies_stay_whole() {
        let sql = "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end;\nselect $1;";
        assert_eq!(texts(sql).len(), 2);
        assert_eq!(texts(sql)[1], (2, "select $1"));
    }

    #[test]
    fn what_is_not_closed_is_named() {
        let error = split("select 1;\nselect 'x").unwrap_err();
        assert_eq!((error.code(), error.message()), ("42601", "line 2: unterminated quoted text"));
    }
}
