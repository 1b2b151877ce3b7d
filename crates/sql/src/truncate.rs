//! `truncate`: what it empties, and who may do that.

use sqlparser::ast::{CascadeOption, ObjectName, Truncate, TruncateIdentityOption};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Table, TableKind, TableName};

use crate::grants::denied;
use crate::partitions::own;
use crate::schema::{fault, no_such_table, sequence_of};

/// A `truncate` whose names are known.
#[derive(Clone, Debug)]
pub struct Emptying {
    /// The tables and partitions that it names.
    named: Vec<TableName>,
    /// What refers to them is emptied as well.
    cascade: bool,
    /// Whether the numbers of the tables begin anew.
    pub restart: bool,
}

/// Who empties tables.
#[derive(Clone, Copy, Debug)]
pub struct Truncator<'r> {
    /// The role whose grants hold; `None` if none does.
    pub role: Option<&'r str>,
    /// Whether the tables are its own, and so the sequences.
    pub owner: bool,
}

impl Emptying {
    /// Reads a statement whose names mean what `meant` says.
    ///
    /// # Errors
    /// 42P01 if there is nothing of a name, 42809 for what is no table of which rows can be taken, 42601 for
    /// words that PostgreSQL has not.
    pub fn read(
        catalog: &Catalog,
        statement: &Truncate,
        meant: impl Fn(&ObjectName) -> TableName,
    ) -> Result<Self> {
        if statement.if_exists || statement.partitions.is_some() || statement.on_cluster.is_some() {
            return Err(fault("42601", format!("syntax error in \"{statement}\"")));
        }
        let mut named = Vec::new();
        for target in &statement.table_names {
            let name = meant(&target.name);
            let (_, table, partition) = catalog.relation(&name).ok_or_else(|| no_such_table(&name))?;
            if table.kind != TableKind::Table {
                return Err(fault("42809", format!("\"{}\" is not a table", name.name)));
            }
            let level = partition.map_or(&table.partitioning, |one| &one.partitioning);
            if target.only && level.is_some() {
                let message = "cannot truncate only a partitioned table".to_owned();
                let hint =
                    "Do not specify the ONLY keyword, or use TRUNCATE ONLY on the partitions directly.";
                return Err(fault("42809", message).with_hint(hint));
            }
            if !named.contains(&name) {
                named.push(name);
            }
        }
        let cascade = statement.cascade == Some(CascadeOption::Cascade);
        let restart = statement.identity == Some(TruncateIdentityOption::Restart);
        Ok(Emptying { named, cascade, restart })
    }

    /// The tables and partitions to empty, those that refer to others before them.
    ///
    /// # Errors
    /// In PostgreSQL's order: 42501 if one of them is closed to who empties them; 0A000 if others refer to one,
    /// and are not to be emptied as well; 42501 for numbers that are not theirs.
    pub fn targets(&self, catalog: &Catalog, who: Truncator<'_>) -> Result<Vec<TableName>> {
        let mut names = self.named.clone();
        names.iter().try_for_each(|name| open(catalog, name, who))?;
        let mut at = 0;
        while let Some(name) = names.get(at).cloned() {
            for other in referring(catalog, &name) {
                if names.contains(other) {
                    continue;
                }
                if !self.cascade {
                    let text = "cannot truncate a table referenced in a foreign key constraint";
                    let hint = format!(
                        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                        other.name
                    );
                    return Err(Error::unsupported(text)
                        .with_details(format!("Table \"{}\" references \"{}\".", other.name, name.name))
                        .with_hint(hint));
                }
                open(catalog, other, who)?;
                names.push(other.clone());
            }
            at += 1;
        }
        if self.restart && !who.owner {
            let tables = names.iter().filter_map(|name| Some((name, catalog.table(name)?)));
            let mut owned = tables.flat_map(|(name, table)| {
                table.columns.iter().filter_map(|column| sequence_of(catalog, name, column))
            });
            if let Some((sequence, _)) = owned.next() {
                return Err(Error::permission_denied(format!("must be owner of sequence {}", sequence.name)));
            }
        }
        names.reverse();
        Ok(names)
    }

    /// Refuses what is looked at when a transaction ends: PostgreSQL empties no table that waits for it.
    ///
    /// # Errors
    /// 0A000.
    pub fn refuse_deferred(&self, catalog: &Catalog) -> Result<()> {
        let owner = Truncator { role: None, owner: true };
        // What can't be emptied at all is refused where it is to be.
        let Ok(names) = self.targets(catalog, owner) else { return Ok(()) };
        for name in &names {
            let divided = whole(catalog, name);
            let concerns = |known: &TableName, other: &TableName| known == divided || other == divided;
            let mut keys = catalog.tables.iter().flat_map(|(known, table)| {
                table.foreign_keys.iter().filter(move |key| concerns(known, &key.references))
            });
            if let Some(key) = keys.find(|key| key.deferred) {
                return Err(Error::unsupported(format!(
                    "\"truncate\" of {name} in a function: its foreign key {} is looked at last; delete its rows",
                    key.name
                )));
            }
        }
        Ok(())
    }
}

/// The table that has the rows which are called by a name.
fn whole<'c>(catalog: &'c Catalog, name: &'c TableName) -> &'c TableName {
    catalog.partition(name).map_or(name, |(table, _)| table)
}

/// The tables that refer to one, or to that of a partition.
fn referring<'c>(catalog: &'c Catalog, name: &'c TableName) -> impl Iterator<Item = &'c TableName> {
    let divided = whole(catalog, name);
    let refers = move |table: &Table| table.foreign_keys.iter().any(|key| key.references == *divided);
    catalog.tables.iter().filter(move |(_, table)| refers(table)).map(|(name, _)| name)
}

/// Refuses those who may not empty a table or partition; policies are not asked.
fn open(catalog: &Catalog, name: &TableName, who: Truncator<'_>) -> Result<()> {
    let (Some(role), Some((_, table, partition))) = (who.role, catalog.relation(name)) else { return Ok(()) };
    let own = partition.map(own);
    let table = own.as_ref().unwrap_or(table);
    if table.may_be_truncated_by(role) { Ok(()) } else { Err(denied(table, name)) }
}

/// The error for a table or partition whose rows a loop around is going over.
pub fn in_use(name: &TableName) -> Error {
    let message = format!(
        "cannot TRUNCATE \"{}\" because it is being used by active queries in this session",
        name.name
    );
    Error::new(ErrorKind::InvalidInput, "55006", message)
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::Statement;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;
    use crate::schema::{apply, parse, table_name};

    fn catalog(sql: &str) -> Catalog {
        let mut catalog = Catalog::default();
        for statement in parse(sql).unwrap() {
            apply(&mut catalog, &statement).unwrap();
        }
        catalog
    }

    fn emptied(catalog: &Catalog, sql: &str, who: Truncator<'_>) -> Result<Vec<String>> {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        let Statement::Truncate(statement) = parsed else { panic!("{sql}") };
        let emptying = Emptying::read(catalog, &statement, table_name)?;
        Ok(emptying.targets(catalog, who)?.into_iter().map(|name| name.name).collect())
    }

    #[test]
    fn what_refers_goes_first_or_is_in_the_way() {
        let all = catalog(
            "create table a (id serial primary key);
             create table b (id int primary key, a int references a);
             create table c (id int primary key, b int references b);
             grant truncate on a, b to anon;",
        );
        let owner = Truncator { role: None, owner: true };
        let anon = Truncator { role: Some("anon"), owner: false };
        assert_eq!(emptied(&all, "truncate a cascade", owner).unwrap(), ["c", "b", "a"]);
        assert_eq!(emptied(&all, "truncate table c, b", owner).unwrap(), ["b", "c"]);
        let error = |sql, who| {
            let error = emptied(&all, sql, who).unwrap_err();
            (error.code().to_owned(), error.message().to_owned())
        };
        let told = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        let referred = "cannot truncate a table referenced in a foreign key constraint";
        assert_eq!(error("truncate b", owner), told("0A000", referred));
        assert_eq!(error("truncate b", anon), told("0A000", referred));
        assert_eq!(error("truncate b cascade", anon), told("42501", "permission denied for table c"));
        assert_eq!(error("truncate c", anon), told("42501", "permission denied for table c"));
        assert_eq!(error("truncate z", owner), told("42P01", "relation \"z\" does not exist"));
        let lone = catalog("create table a (id serial primary key); grant truncate on a to anon;");
        let restarted = emptied(&lone, "truncate a restart identity", anon).unwrap_err();
        assert_eq!(restarted.message(), "must be owner of sequence a_id_seq");
        assert_eq!(emptied(&lone, "truncate only a restart identity", owner).unwrap(), ["a"]);
    }
}
