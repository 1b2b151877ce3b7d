//! Functions that programs call.

use rusqlite::types::Value as Cell;
use truststream_kernel::{Caller, Context, Error, ErrorKind, Result};

use super::bodies::Body;
use super::program::Run;
use crate::access::Access;
use crate::write::Write;

/// How deep functions may call others.
const DEEPEST: usize = 32;

impl Run<'_, '_> {
    /// Calls a function with the rights that hold here: its value.
    pub(super) fn call(&self, place: usize, arguments: &[String]) -> Result<Cell> {
        let missing = || Error::internal("a program calls what its schema has lost");
        let called = self.write.schema.catalog.functions.get(place).ok_or_else(missing)?;
        if self.depth >= DEEPEST {
            let message = "stack depth limit exceeded";
            return Err(Error::new(ErrorKind::TooLarge, "54001", message));
        }
        let cells = arguments.iter().map(|sql| self.value(sql)).collect::<Result<Vec<_>>>()?;
        let owner = Context { caller: Caller::System, ..self.write.cx.clone() };
        let owner = Write { cx: &owner, conn: self.write.conn, schema: self.write.schema };
        let write = if self.function.security_definer { &owner } else { self.write };
        let role = Access::of(write.cx).role();
        if role.is_some_and(|role| !called.is_open_to(role)) {
            let message = format!("permission denied for function {}", called.name.name);
            return Err(Error::permission_denied(message));
        }
        if called.strict && cells.contains(&Cell::Null) {
            return Ok(Cell::Null);
        }
        let read_only = self.read_only || self.function.reads_only;
        let rows = match write.body(called)?.as_ref() {
            Body::Program(program) => {
                Run::new(write, (called, program), cells, read_only).below(self.depth).rows()?
            }
            Body::Steps(steps) => write.stepped((called, steps), &cells, read_only)?,
            Body::Refresh(_) => {
                let message = format!("function {} is called by the service role only", called.name);
                return Err(Error::unsupported(message));
            }
        };
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Cell::Null))
    }
}
