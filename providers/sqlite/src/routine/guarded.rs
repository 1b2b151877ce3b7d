//! Steps of a program whose errors are caught.

use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_sql::plpgsql::Flow;
use truststream_sql::sqlite::program::{Caught, Op};

use super::program::Run;
use crate::error::{Raised, convert};

impl Run<'_, '_> {
    /// Runs steps. What they did is undone where they fail, and the first handler that catches the error
    /// goes on; variables stay what they are, as do rows that were given.
    pub(super) fn guarded(&mut self, steps: &[Op], handlers: &[Caught], cells: &[usize; 4]) -> Result<Flow> {
        let conn = self.write.conn;
        let settings = conn.session.settings();
        let restarts = conn.session.count(|counters| counters.restarts());
        conn.sql.execute_batch("SAVEPOINT guarded").map_err(convert)?;
        let error = match self.steps(steps) {
            Ok(flow) => {
                conn.sql.execute_batch("RELEASE guarded").map_err(convert)?;
                return Ok(flow);
            }
            Err(error) => error,
        };
        // What ended the whole transaction leaves nothing to go on with.
        if conn.sql.execute_batch("ROLLBACK TO guarded; RELEASE guarded").is_err() {
            return Err(error);
        }
        conn.session.restore_settings(settings);
        conn.session.count(|counters| counters.undo(restarts));
        let catches = |handler: &&Caught| handler.conditions.iter().any(|one| one.catches(error.code()));
        let Some(handler) = handlers.iter().find(catches).filter(|_| is_of_the_function(&error)) else {
            return Err(error);
        };
        let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.to_owned()));
        let details = error.details().and_then(|details| details.as_str());
        let told = [Some(error.code()), Some(error.message()), details, error.hint()];
        for (cell, told) in cells.iter().zip(told) {
            self.cells[*cell] = text(told);
        }
        self.steps(&handler.steps)
    }
}

/// Whether an error is one that the function would meet on PostgreSQL as well, or raises itself, not what
/// this engine refuses, is short of or has lost.
fn is_of_the_function(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, Conflict, Constraint, InvalidInput, NotFound, PermissionDenied};

    let own = std::error::Error::source(error).is_some_and(|source| source.is::<Raised>());
    let met = matches!(
        error.kind(),
        AlreadyExists | Conflict | Constraint | InvalidInput | NotFound | PermissionDenied
    );
    error.code().len() == 5 && (met || own)
}
