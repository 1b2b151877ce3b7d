//! What a side is defined by. A feed has no definitions in it: a switch is made with those that there were
//! when it began, and does not change the owner where they are others by then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use truststream_kernel::{Error, ErrorKind, Result, Retry};
use truststream_services::database::{
    AppliedMigration, Describe, MigrationNames, SchemaMark, Table, TableKind,
};

use crate::Side;

/// Code of the error where a schema is another one by now.
pub(crate) const REDEFINED: &str = "BACKEND_011";

/// The migrations and tables of a side at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// Names of the migrations that were applied.
    migrations: BTreeSet<String>,
    /// Tables with rows of their own, and what tells their columns apart.
    tables: BTreeMap<String, String>,
}

impl Definitions {
    pub(crate) async fn of(side: &Side) -> Result<Self> {
        // First: whatever is applied before the tables are looked at is found by its name.
        let migrations = names(side).await?;
        let catalog = side.database.send(Describe { fresh: true }).await?;
        let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
        let tables = tables.map(|(name, table)| (name.to_string(), mark(table))).collect();
        Ok(Definitions { migrations, tables })
    }

    /// # Errors
    /// `BACKEND_011` naming the migrations and tables that came, went or were changed since.
    pub(crate) async fn must_hold(&self, side: &Side) -> Result<()> {
        let now = Definitions::of(side).await?;
        let of = |one: &Self, other: &Self| -> BTreeSet<String> {
            let migrations = one.migrations.difference(&other.migrations);
            let changed = one.tables.iter().filter(|(name, mark)| other.tables.get(*name) != Some(*mark));
            let tables = changed.map(|(name, _)| format!("table {name}"));
            migrations.map(|name| format!("migration {name}")).chain(tables).collect()
        };
        refuse(side, &(&of(self, &now) | &of(&now, self)))
    }

    /// The same, and what tells soon whether it is so still.
    pub(crate) async fn look(&self, side: &Side) -> Result<Look<'_>> {
        // First: whatever is changed while the tables are looked at makes it another one.
        let mark = side.database.send(SchemaMark).await?;
        self.must_hold(side).await?;
        Ok(Look { defined: self, mark })
    }

    /// The same of migrations that were just read.
    pub(crate) fn are_of(&self, side: &Side, migrations: &[AppliedMigration]) -> Result<()> {
        self.are_named(side, &migrations.iter().map(|migration| migration.name.clone()).collect())
    }

    fn are_named(&self, side: &Side, applied: &BTreeSet<String>) -> Result<()> {
        let changed = &self.migrations ^ applied;
        refuse(side, &changed.into_iter().map(|name| format!("migration {name}")).collect())
    }
}

/// What was found of a side when it was looked at while writes went on.
pub(crate) struct Look<'a> {
    defined: &'a Definitions,
    mark: Option<String>,
}

impl Look<'_> {
    /// As [`Definitions::must_hold`], for while writes are held: tables, which take longer, are looked at
    /// again only where somebody changed anything at all.
    pub(crate) async fn must_hold(&self, side: &Side) -> Result<()> {
        let (applied, mark) = futures::try_join!(names(side), side.database.send(SchemaMark))?;
        if mark != self.mark {
            return self.defined.must_hold(side).await;
        }
        self.defined.are_named(side, &applied)
    }
}

/// Whether migrations of one side are not those of the other.
pub(crate) async fn is_behind(target: &Side, source: &Side) -> Result<bool> {
    let (source, target) = (names(source).await?, names(target).await?);
    Ok(!source.is_subset(&target))
}

/// Whether an error says that definitions are others by now.
pub(crate) fn is_redefined(error: &Error) -> bool {
    error.code() == REDEFINED && error.kind() == ErrorKind::Conflict
}

/// Without their texts: writes may be held meanwhile.
async fn names(side: &Side) -> Result<BTreeSet<String>> {
    Ok(side.database.send(MigrationNames).await?.into_iter().collect())
}

/// The same for tables whose columns are.
fn mark(table: &Table) -> String {
    let mut hash = blake3::Hasher::new();
    for column in &table.columns {
        for part in [column.name.as_bytes(), column.type_name.as_bytes(), &[u8::from(column.nullable)]] {
            hash.update(&part.len().to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().to_hex()[..16].to_owned()
}

fn refuse(side: &Side, changed: &BTreeSet<String>) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let all = changed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("the schema of `{}` was changed after the switch began: {all}", side.name);
    Err(Error::new(ErrorKind::Conflict, REDEFINED, message).with_retry(Retry::Never).with_hint(
        "nothing has changed hands; undo it and try again, or start a new switch, which is made with that schema",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_apart_by_their_columns() {
        let table = |columns: &[(&str, &str, bool)]| {
            let column = |(name, type_name, nullable): &(&str, &str, bool)| {
                let text = format!(
                    r#"{{"name":"{name}","type_name":"{type_name}","ty":"text","nullable":{nullable}}}"#
                );
                serde_json::from_str(&text).unwrap()
            };
            mark(&Table { columns: columns.iter().map(column).collect(), ..Table::default() })
        };
        let one = table(&[("a", "text", true), ("b", "text", true)]);
        assert_eq!(one, table(&[("a", "text", true), ("b", "text", true)]));
        for other in [
            table(&[("a", "text", true)]),
            table(&[("a", "text", true), ("b", "text", false)]),
            table(&[("a", "text", true), ("b", "int", true)]),
            table(&[("at", "ext", true), ("b", "text", true)]),
        ] {
            assert_ne!(one, other);
        }
    }
}
