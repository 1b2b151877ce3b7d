//! The file's tables from the catalog.

pub(crate) mod cascade;
pub(crate) mod existing;
pub(crate) mod materialized;
mod partitions;

use rusqlite::Connection;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Index, ReferentialAction, Table, TableKind, TableName, UniqueKey,
};
use truststream_sql::expression;
use truststream_sql::partitions::{constraint, within};
use truststream_sql::quote::quote;
use truststream_sql::schema::{Statement, enum_name, row_number, sequence_of};
use truststream_sql::sqlite::{self, numbers};

use crate::collation;
use crate::error::convert;
use crate::migrate::gone;
use crate::schema::{physical, physical_name};
use crate::sequence;
use crate::translate::of_table;

/// Brings the file from one catalog to the next, as a statement does.
pub(crate) fn change(
    conn: &Connection,
    before: &Catalog,
    after: &Catalog,
    statement: &Statement,
) -> Result<()> {
    let missing = gone(before, after);
    if let ([old], Some(new)) = (missing.as_slice(), appeared(before, after)) {
        // One statement either drops tables or makes one: both at once is another name.
        return run(conn, &format!("ALTER TABLE {} RENAME TO {}", physical(old), physical(new)));
    }
    partitions::leave(conn, before, after)?;
    let detached = |name: &TableName| before.partition(name).is_some();
    let attached = |name: &&&TableName| after.partition(name).is_some();
    for name in missing.iter().filter(|name| !attached(name)) {
        run(conn, &format!("DROP TABLE {}", physical(name)))?;
    }
    materialized::remove(conn, before, after)?;
    relabel(conn, before, after)?;
    if let Some((table, from, to)) = statement.column_renamed().filter(|_| before != after) {
        let (table, from, to) = (physical(&table), quote(&from), quote(&to));
        return run(conn, &format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}"));
    }
    for (name, table) in &after.tables {
        if table.kind != TableKind::Table {
            continue;
        }
        match before.tables.get(name) {
            None if detached(name) => {}
            None => make(conn, after, name, table)?,
            Some(old) => {
                partitions::refuse_moved(conn, after, name, (old, table))?;
                if !stored_alike((before, old), (after, table), name)? {
                    rebuild(conn, (before, after), statement, name, (old, table))?;
                }
            }
        }
    }
    missing
        .into_iter()
        .filter(|name| attached(&name))
        .try_for_each(|name| partitions::enter(conn, after, name))
}

/// Makes a table that is new.
fn make(conn: &Connection, catalog: &Catalog, name: &TableName, table: &Table) -> Result<()> {
    run(conn, &create(catalog, name, table, &physical_name(name))?)?;
    if let Some(number) = numbers::before_first(catalog, name, table) {
        sequence::seed(conn, &physical_name(name), number)?;
    }
    indexes(conn, catalog, name, table)
}

/// Writes the new label of an enum wherever the old one stands.
fn relabel(conn: &Connection, before: &Catalog, after: &Catalog) -> Result<()> {
    for (name, old) in &before.enums {
        let Some(new) = after.enums.get(name).filter(|new| new.len() == old.len()) else { continue };
        let Some((from, to)) = old.iter().zip(new).find(|(from, to)| from != to) else { continue };
        let ty = Type::Enum(enum_name(name));
        for (table, definition) in &before.tables {
            for column in definition.columns.iter().filter(|_| definition.kind == TableKind::Table) {
                let (column, ty_of) = (quote(&column.name), &column.ty);
                if *ty_of == Type::Array(Box::new(ty.clone())) {
                    let message =
                        format!("a label of an array, column {column} of {table}, can't be renamed");
                    return Err(Error::unsupported(message));
                }
                if *ty_of == ty {
                    let sql = format!("UPDATE {} SET {column} = ?2 WHERE {column} = ?1", physical(table));
                    conn.execute(&sql, [from, to]).map_err(convert)?;
                }
            }
        }
    }
    Ok(())
}

/// The table that only the next catalog has.
fn appeared<'c>(before: &Catalog, after: &'c Catalog) -> Option<&'c TableName> {
    after.tables.keys().find(|name| !before.tables.contains_key(*name))
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.execute_batch(sql).map_err(convert)
}

/// Whether two states of a table differ only in what the planner looks after.
fn stored_alike(
    (before, old): (&Catalog, &Table),
    (after, new): (&Catalog, &Table),
    name: &TableName,
) -> Result<bool> {
    Ok(old.columns == new.columns
        && old.primary_key == new.primary_key
        && old.unique_keys == new.unique_keys
        && old.foreign_keys == new.foreign_keys
        && old.checks == new.checks
        && old.indexes == new.indexes
        && within(before, name, old)? == within(after, name, new)?
        && counted_alike(before, after, name))
}

/// Makes a table anew under its name, and takes its rows over.
fn rebuild(
    conn: &Connection,
    (before, catalog): (&Catalog, &Catalog),
    statement: &Statement,
    name: &TableName,
    (old, new): (&Table, &Table),
) -> Result<()> {
    let conversions = statement.conversions(name);
    let interim = format!("truststream_new_{}", physical_name(name));
    run(conn, &create(catalog, name, new, &interim)?)?;
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for column in new.columns.iter().filter(|column| column.generated.is_none()) {
        if old.column(&column.name).is_none() {
            continue;
        }
        let quoted = quote(&column.name);
        let conversion = conversions.iter().find(|(one, _)| *one == column.name);
        values.push(match conversion {
            Some((_, using)) => converted(before, catalog, name, column, using.as_deref())?,
            None => quoted.clone(),
        });
        columns.push(quoted);
    }
    // SQLite would number rows whose new row id is null.
    if let Some(key) = row_number(catalog, name, new)
        && old.column(&key.name).is_some_and(|was| was.nullable)
    {
        existing::refuse_nulls(conn, name, key)?;
    }
    if !columns.is_empty() {
        let (columns, values) = (columns.join(", "), values.join(", "));
        let from = physical(name);
        let sql = format!("INSERT INTO {} ({columns}) SELECT {values} FROM {from}", quote(&interim));
        conn.execute_batch(&sql).map_err(|error| existing::unfit(name, new, error))?;
    }
    // Numbers that were given once are not given again.
    conn.execute(
        "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = ?1) \
         WHERE name = ?2 AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        [&physical_name(name), &interim],
    )
    .map_err(convert)?;
    run(conn, &format!("DROP TABLE {}", physical(name)))?;
    run(
        conn,
        &format!(
            "PRAGMA legacy_alter_table=ON; ALTER TABLE {} RENAME TO {}; PRAGMA legacy_alter_table=OFF",
            quote(&interim),
            physical(name)
        ),
    )?;
    indexes(conn, catalog, name, new)
}

/// The value of a column under its new type.
fn converted(
    before: &Catalog,
    after: &Catalog,
    name: &TableName,
    column: &Column,
    using: Option<&str>,
) -> Result<String> {
    // Types may be new, but names mean the columns as they were.
    let mut known = after.clone();
    if let Some(table) = before.table(name) {
        known.tables[name] = table.clone();
    }
    let text = using.map_or_else(|| quote(&column.name), str::to_owned);
    sqlite::assigned(&known, name, &text, &column.ty).map_err(|unsupported| match using {
        Some(_) => Error::from(unsupported),
        None => {
            let message = format!(
                "column \"{}\" cannot be cast automatically to type {}",
                column.name, column.type_name
            );
            let hint = format!("You might need to specify \"USING {}::{}\".", column.name, column.type_name);
            Error::new(truststream_kernel::ErrorKind::InvalidInput, "42804", message).with_hint(hint)
        }
    })
}

/// Whether the numbers of a table's columns are counted alike in two catalogs.
fn counted_alike(before: &Catalog, after: &Catalog, name: &TableName) -> bool {
    let counted = |catalog: &Catalog| -> Vec<_> {
        let table = catalog.table(name);
        let columns = table.into_iter().flat_map(|table| &table.columns);
        columns.map(|column| sequence_of(catalog, name, column)).collect()
    };
    counted(before) == counted(after)
}

fn create(catalog: &Catalog, name: &TableName, table: &Table, called: &str) -> Result<String> {
    let alone = row_number(catalog, name, table).map(|column| column.name.as_str());
    let mut parts = Vec::new();
    for column in &table.columns {
        parts.push(column_sql(catalog, (name, table), column, alone == Some(column.name.as_str()))?);
    }
    if alone.is_none() && !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    for check in &table.checks {
        let sql = sqlite::check(catalog, name, check)?;
        parts.push(format!("CONSTRAINT {} CHECK ({sql})", quote(&check.name)));
    }
    for (divided, condition) in within(catalog, name, table)? {
        let constraint = constraint(&physical_name(divided));
        parts.push(format!("CONSTRAINT {} CHECK ({condition})", quote(&constraint)));
    }
    parts.extend(table.foreign_keys.iter().map(foreign_key));
    Ok(format!("CREATE TABLE {} ({})", quote(called), parts.join(", ")))
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}

fn column_sql(
    catalog: &Catalog,
    (name, table): (&TableName, &Table),
    column: &Column,
    row_id: bool,
) -> Result<String> {
    let mut sql = format!("{} {}", quote(&column.name), stored(column, row_id));
    if row_id {
        let counted = if column.identity.is_some() { " AUTOINCREMENT" } else { "" };
        sql.push_str(&format!(" PRIMARY KEY{counted}"));
    }
    let scope = of_table(catalog, name);
    if let Some(generated) = &column.generated {
        let value = expression::value(generated, &column.ty, &scope).map_err(Error::from)?;
        sql.push_str(&format!(" GENERATED ALWAYS AS ({value}) STORED"));
    } else if let Some(value) = numbers::default(catalog, (name, table), column).map_err(Error::from)? {
        sql.push_str(&format!(" DEFAULT ({value})"));
    }
    if !column.nullable && !row_id {
        sql.push_str(" NOT NULL");
    }
    Ok(sql)
}

/// How the file declares what a column holds.
pub(crate) fn stored(column: &Column, row_id: bool) -> String {
    let storage = match &column.ty {
        // A primary key of this very type would be the row id.
        Type::Int2 | Type::Int4 | Type::Int8 if !row_id => "BIGINT",
        Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 | Type::Timestamptz | Type::Timestamp => "INTEGER",
        // Without an affinity: that of reals makes -0.0 an integer.
        Type::Float4 | Type::Float8 | Type::Bytes => "BLOB",
        _ => "TEXT",
    };
    format!("{storage}{}", collation::of_column(column))
}

fn foreign_key(key: &ForeignKey) -> String {
    let action = |action: ReferentialAction| match action {
        // PostgreSQL's looks once the statement is done, so that rows that refer to one another can go together;
        // SQLite's RESTRICT looks row by row.
        ReferentialAction::Restrict if !key.deferred => "NO ACTION",
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    };
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}{}",
        quote(&key.name),
        list(&key.columns),
        physical(&key.references),
        list(&key.referenced_columns),
        action(key.on_delete),
        action(key.on_update),
        if key.deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" }
    )
}

fn indexes(conn: &Connection, catalog: &Catalog, name: &TableName, table: &Table) -> Result<()> {
    for key in &table.unique_keys {
        conn.execute_batch(&unique_sql(name, table, key))
            .map_err(|error| existing::repeated(&key.name, error))?;
    }
    // The others only make reads faster that SQLite has other ways for.
    for index in table.indexes.iter().filter(|index| index.unique || index.method == "btree") {
        conn.execute_batch(&index_sql(catalog, name, index)?)
            .map_err(|error| existing::repeated(&index.name, error))?;
    }
    Ok(())
}

fn unique_sql(name: &TableName, table: &Table, key: &UniqueKey) -> String {
    let term = |column: &String| {
        let quoted = quote(column);
        match table.column(column) {
            // What is null is told apart from an empty text by the first of the two terms.
            Some(known) if key.nulls_not_distinct && known.nullable => {
                let order = collation::of_column(known);
                format!("{quoted} IS NULL, ifnull({quoted}, ''){order}")
            }
            _ => quoted,
        }
    };
    let terms: Vec<String> = key.columns.iter().map(term).collect();
    let index = index_name(name, &key.name);
    format!("CREATE UNIQUE INDEX {index} ON {} ({})", physical(name), terms.join(", "))
}

/// An index's name in the file, quoted: schemas may have indexes of the same name.
fn index_name(table: &TableName, index: &str) -> String {
    physical(&TableName::new(&table.schema, index))
}

fn index_sql(catalog: &Catalog, name: &TableName, index: &Index) -> Result<String> {
    let scope = of_table(catalog, name);
    let terms = index
        .terms
        .iter()
        .map(|term| {
            let (expression, descends) = without_order(term);
            let order = if descends { " DESC" } else { "" };
            Ok(format!("{}{order}", expression::to_sqlite(expression, &scope).map_err(Error::from)?))
        })
        .collect::<Result<Vec<String>>>()?;
    let predicate = match &index.predicate {
        Some(predicate) => {
            format!(" WHERE {}", expression::condition(predicate, &scope).map_err(Error::from)?)
        }
        None => String::new(),
    };
    let unique = if index.unique { "UNIQUE " } else { "" };
    Ok(format!(
        "CREATE {unique}INDEX {} ON {} ({}){predicate}",
        index_name(name, &index.name),
        physical(name),
        terms.join(", ")
    ))
}

/// An index term without its order, and whether it descends. SQLite's indexes have nulls at a fixed
/// end; that changes how fast an order is, not what it gives.
fn without_order(term: &str) -> (&str, bool) {
    let mut rest = term.trim();
    let mut descends = false;
    for (suffix, is_descending) in
        [(" nulls first", false), (" nulls last", false), (" asc", false), (" desc", true)]
    {
        let start = rest.len().saturating_sub(suffix.len());
        if rest.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(suffix)) {
            rest = rest[..start].trim_end();
            descends |= is_descending;
        }
    }
    (rest, descends)
}
