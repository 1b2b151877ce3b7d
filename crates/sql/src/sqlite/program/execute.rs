//! `execute`: a statement with values of its own.

use truststream_kernel::{Result, Type};

use super::{Compiler, Op, mark};
use crate::expression::parse;
use crate::plpgsql::Step;

impl Compiler<'_, '_, '_> {
    /// A statement in which these names mean these values.
    pub(super) fn execute(
        &mut self,
        values: &[(String, String)],
        step: &Step,
        ops: &mut Vec<Op>,
    ) -> Result<()> {
        self.names.enter();
        for (name, value) in values {
            let (sql, ty) = self.typed(value)?;
            let cell = self.names.declare(name, ty);
            ops.push(Op::Set(cell, format!("SELECT {sql}")));
        }
        let found = self.names.found;
        // Only a loop and "return query" say whether they found rows.
        let kept = matches!(step, Step::Sql(_) | Step::Into { .. }).then(|| self.names.cell());
        ops.extend(kept.map(|kept| Op::Set(kept, format!("SELECT {}", mark(found)))));
        self.step(step, ops)?;
        ops.extend(kept.map(|kept| Op::Set(found, format!("SELECT {}", mark(kept)))));
        self.names.leave();
        Ok(())
    }

    /// A value in the type that it has by itself.
    fn typed(&mut self, text: &str) -> Result<(String, Type)> {
        let parsed = parse(text)?;
        self.named(|translator| {
            let term = translator.expr(&parsed)?;
            let ty = term.known().cloned().unwrap_or(Type::Text);
            Ok((translator.assigned(term, &ty)?.sql, ty))
        })
    }
}
