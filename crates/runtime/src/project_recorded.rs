//! Whether a migration that was applied is still what its file says.
//!
//! The text is recorded, not a sum of it: it says what was changed, and takes migrations back.

use truststream_sql::schema::split;

/// The first statement in which a file differs from what was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Its line in the file; that of the last statement, if the file says no more.
    pub(crate) line: usize,
    /// What was applied, if anything was.
    pub(crate) applied: Option<String>,
    /// What the file says now, if anything.
    pub(crate) now: Option<String>,
}

/// What was edited since the migration was applied. Comments, empty lines and ends of lines don't count,
/// as the supabase CLI records statements one by one, and none of a migration that was only marked as
/// applied.
pub(crate) fn edit(recorded: &str, file: &str) -> Option<Edit> {
    if recorded == file || recorded.is_empty() {
        return None;
    }
    let (before, after) = (statements(recorded), statements(file));
    let (Some(before), Some(after)) = (before, after) else {
        return Some(Edit { line: 1, applied: None, now: None });
    };
    let at = (0..before.len().max(after.len()))
        .find(|at| before.get(*at).map(|(_, text)| text) != after.get(*at).map(|(_, text)| text))?;
    let line = after.get(at).or(after.last()).map_or(1, |(line, _)| *line);
    let text = |list: Vec<(usize, String)>| list.into_iter().nth(at).map(|(_, text)| text);
    Some(Edit { line, applied: text(before), now: text(after) })
}

/// Statements with their lines; none if the text can't be cut into them.
fn statements(text: &str) -> Option<Vec<(usize, String)>> {
    let pieces = split(text).ok()?.into_iter();
    Some(pieces.map(|piece| (piece.line, piece.text.replace("\r\n", "\n"))).collect())
}

impl Edit {
    /// Both statements on a line each, as far as they go.
    pub(crate) fn told(&self) -> String {
        let told = |word: &str, text: &Option<String>| match text {
            Some(text) => format!("{word}: {}", short(text)),
            None => format!("{word}: nothing"),
        };
        format!("{}\n{}", told("applied", &self.applied), told("now", &self.now))
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_count() {
        let file = "-- tracks\r\ncreate table t (\r\n  a int\r\n);\r\n\r\nselect 1;";
        assert_eq!(edit("create table t (\n  a int\n);\nselect 1", file), None);
        assert_eq!(edit("", file), None);
        let found = edit("create table t (\n  b int\n);\nselect 1", file).unwrap();
        assert_eq!(found.line, 2);
        assert_eq!(found.told(), "applied: create table t ( b int )\nnow: create table t ( a int )");
    }

    #[test]
    fn a_statement_more_or_less_is_told() {
        let more = edit("select 1", "select 1;\n\nselect 2;").unwrap();
        assert_eq!((more.line, more.told()), (3, "applied: nothing\nnow: select 2".into()));
        let less = edit("select 1;\nselect 2;", "\nselect 1;").unwrap();
        assert_eq!((less.line, less.told()), (2, "applied: select 2\nnow: nothing".into()));
        assert!(edit("select 'open", "select 1").is_some());
    }
}
