//! The two rows that keep a unique key from being put back.

use rusqlite::{Connection, OptionalExtension, Result, Row};
use truststream_services::database::{Catalog, TableName, both_rows_of};
use truststream_sql::quote::quote;

use crate::schema::physical_name;
use crate::storage::value;

/// Names two rows that have the same in all columns of a unique index, which could not be made; none if it
/// is of more than columns.
pub(crate) fn both_rows(
    conn: &Connection,
    catalog: &Catalog,
    index: &str,
    sql: &str,
) -> Result<Option<String>> {
    // What finds them is the index without its being unique.
    conn.execute_batch(&sql.replacen("CREATE UNIQUE INDEX", "CREATE INDEX", 1))?;
    let found = found(conn, catalog, index, sql);
    conn.execute_batch(&format!("DROP INDEX {}", quote(index)))?;
    found
}

fn found(conn: &Connection, catalog: &Catalog, index: &str, sql: &str) -> Result<Option<String>> {
    let file: String =
        conn.query_row("SELECT tbl_name FROM sqlite_master WHERE name = ?1", [index], |row| row.get(0))?;
    let Some(name) = catalog.tables.keys().find(|name| physical_name(name) == file) else { return Ok(None) };
    let terms: Vec<(Option<String>, String)> = conn
        .prepare("SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key = 1")?
        .query_map([index], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let same = terms.iter().map(|(column, collation)| {
        let column = quote(column.as_ref()?);
        Some(format!("one.{column} = other.{column} COLLATE {}", quote(collation)))
    });
    let Some(same) = same.collect::<Option<Vec<_>>>() else { return Ok(None) };
    let only = sql.rsplit_once(" WHERE ").map_or("1", |(_, only)| only);
    let rows = format!("(SELECT rowid AS place, * FROM {} WHERE {only})", quote(&file));
    let pair = format!(
        "SELECT one.place, other.place FROM {rows} one JOIN {rows} other ON one.place < other.place AND {} LIMIT 1",
        same.join(" AND ")
    );
    let pair: Option<[i64; 2]> =
        conn.query_row(&pair, [], |row| Ok([row.get(0)?, row.get(1)?])).optional()?;
    let Some([one, other]) = pair else { return Ok(None) };
    let row = |place: i64| {
        let sql = format!("SELECT * FROM {} WHERE rowid = ?1", quote(&file));
        conn.query_row(&sql, [place], |row| json(row, catalog, name))
    };
    Ok(Some(both_rows_of(&name.to_string(), index, [&row(one)?, &row(other)?])))
}

/// A row as JSON, of the columns that the catalog has.
fn json(row: &Row, catalog: &Catalog, name: &TableName) -> Result<String> {
    let columns = catalog.tables[name].columns.iter();
    let members = columns.map(|column| {
        let cell = row.get_ref(column.name.as_str())?;
        let text =
            value(cell, &column.ty).map_or_else(|_| "null".to_owned(), |value| value.to_json_as(&column.ty));
        Ok(format!("{}: {text}", serde_json::Value::from(column.name.as_str())))
    });
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>>>()?.join(", ")))
}
