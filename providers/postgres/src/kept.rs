//! What a session still has of a request: its settings need not be made again for one that sets the same.
//!
//! Functions may change any setting of the session they run in. So a statement that relies on what was set
//! before says of itself, in the same row as its answer, whether it found everything as it was.

use tokio_postgres::Row;
use truststream_sql::quote::literal;

use crate::sql::Sql;
use crate::wire::{Param, Raw};

/// The column that says it.
const COLUMN: &str = "session_kept";

/// The settings of a request that a session has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    text: String,
    params: Vec<Param>,
    /// What asks for each, and how the server shows it; nothing if it is not known whether something else was
    /// set.
    shown: Vec<(String, Param)>,
}

impl Kept {
    /// What `settings` made, a statement whose columns are called as what they set.
    pub(crate) fn new(settings: Sql, made: &[Row]) -> Self {
        let shown = made.first().map(|row| {
            let columns = row.columns().iter().enumerate();
            let known = columns.filter(|(_, column)| !is_said(column.name()));
            let shown = known.map(|(at, column)| {
                let value: Option<Raw<'_>> = row.try_get(at).unwrap_or_default();
                let value = value.map_or(Param::NULL, |Raw(text)| Param::from(text.to_vec()));
                let name = literal(column.name());
                (format!("pg_catalog.current_setting({name}, true) IS NOT DISTINCT FROM "), value)
            });
            shown.collect()
        });
        Kept { text: settings.text, params: settings.params, shown: shown.unwrap_or_default() }
    }

    /// It can't be told whether something that the settings do not name was left in the session.
    pub(crate) fn in_doubt(self) -> Self {
        Kept { shown: Vec::new(), ..self }
    }

    /// Whether these are the names that `settings` sets.
    pub(crate) fn has_names_of(&self, settings: &str) -> bool {
        self.text == settings
    }

    /// Whether a statement may rely on them instead of setting the same.
    pub(crate) fn is_made_by(&self, settings: &Sql) -> bool {
        !self.shown.is_empty() && self.text == settings.text && self.params == settings.params
    }

    /// A statement that answers, with a column that says whether the session has them while it runs.
    pub(crate) fn vouched(&self, statement: &Sql, answers_at: usize) -> Sql {
        let (before, after) = statement.text.split_at(answers_at);
        let mut sql = Sql::new(before);
        sql.params.extend_from_slice(&statement.params);
        sql.push(", ");
        self.ask(&mut sql);
        sql.push(" AS ").name(COLUMN).push(after);
        sql
    }

    /// Asks nothing else.
    pub(crate) fn question(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        self.ask(&mut sql);
        sql.push(" AS ").name(COLUMN);
        sql
    }

    fn ask(&self, sql: &mut Sql) {
        sql.list(&self.shown, " AND ", |sql, (asked, value)| {
            sql.push(asked).param(value.clone());
        });
    }
}

/// Whether a row that was asked says that the session was as it was thought to be.
pub(crate) fn is_vouched(row: &Row) -> bool {
    row.try_get(COLUMN).unwrap_or_default()
}

/// Whether functions said something of the reply, which must not be found in the session by the next one.
pub(crate) fn has_said(row: &Row) -> bool {
    ["headers", "status"].iter().any(|name| !matches!(row.try_get::<_, Option<Raw<'_>>>(name), Ok(None)))
}

/// What functions say of the reply is no setting of the request.
fn is_said(setting: &str) -> bool {
    setting.starts_with("response.")
}
