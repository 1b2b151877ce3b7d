//! `truncate` as a step of a program.

use sqlparser::ast::Statement as Parsed;
use truststream_kernel::Result;

use super::Compiler;
use crate::sqlite::truncate::emptied;
use crate::sqlite::write::statement_of;
use crate::truncate::{Emptying, Truncator};

impl Compiler<'_, '_, '_> {
    /// What a statement empties, if that is what it does. Whether it may is known when it runs.
    pub(super) fn emptying(&self, sql: &str) -> Result<Option<Emptying>> {
        if !sql.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("truncate")) {
            return Ok(None);
        }
        let Parsed::Truncate(statement) = statement_of(sql)? else { return Ok(None) };
        if self.function.returns.type_name == "trigger" {
            return self.refuse("\"truncate\" in a trigger runs on PostgreSQL only");
        }
        let catalog = self.translator.catalog();
        let emptying = Emptying::read(catalog, &statement, |name| self.translator.table_named(name))?;
        emptying.refuse_deferred(catalog)?;
        if let Ok(names) = emptying.targets(catalog, Truncator { role: None, owner: true }) {
            emptied(catalog, &names, emptying.restart)?;
        }
        Ok(Some(emptying))
    }
}
