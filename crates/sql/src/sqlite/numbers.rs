//! Numbers of sequences: what columns take by default, and what is told to go on elsewhere.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr, Statement as Parsed,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Sequence, Table, TableName};

use crate::expression::{self, Scope, Term, TermType, Translator, Unsupported, file_name};
use crate::quote::literal;
use crate::schema::{self, Statement, row_number, sequence_of};

/// The next number of a sequence.
fn next(name: &TableName, sequence: &Sequence) -> String {
    let limit = sequence.limit.map_or_else(|| "NULL".into(), |limit| limit.to_string());
    format!("ts_nextval({}, {}, {}, {limit})", literal(&name.to_string()), sequence.start, sequence.increment)
}

/// What a column is where it is not given; `None` if that is null, or a number that SQLite gives with
/// the row.
///
/// # Errors
/// A default that can't be translated.
pub fn default(
    catalog: &Catalog,
    (name, table): (&TableName, &Table),
    column: &Column,
) -> Result<Option<String>, Unsupported> {
    if column.generated.is_some()
        || row_number(catalog, name, table).is_some_and(|one| one.name == column.name)
    {
        return Ok(None);
    }
    if let Some((called, sequence)) = sequence_of(catalog, name, column) {
        if !schema::sequence_exists(catalog, &called) {
            let reason = format!("relation \"{}\" does not exist", called.name);
            return Err(Unsupported { text: String::new(), reason, code: Some("42P01".into()) });
        }
        return Ok(Some(next(&called, &sequence)));
    }
    match &column.default {
        Some(default) => expression::value(default, &column.ty, &Scope::new(catalog)).map(Some),
        None => Ok(None),
    }
}

/// `nextval` and `currval` of a named sequence.
pub(crate) fn call(
    catalog: &Catalog,
    function: &str,
    arguments: &[Term],
) -> Result<Option<Term>, Unsupported> {
    let text = match arguments {
        [Term { ty: TermType::Literal(text), .. }] if matches!(function, "nextval" | "currval") => text,
        _ => return Ok(None),
    };
    let name = schema::sequence_name(text);
    if let Some((table, _)) = owner_by_row(catalog, &name) {
        let reason = format!("table {table} is given these numbers with its rows only");
        return Err(Unsupported::new(text, reason));
    }
    if !schema::sequence_exists(catalog, &name) {
        let reason = format!("relation \"{text}\" does not exist");
        return Err(Unsupported { text: String::new(), reason, code: Some("42P01".into()) });
    }
    let sequence = catalog.sequences.get(&name).cloned().unwrap_or_default();
    let sql = match function {
        "nextval" => next(&name, &sequence),
        _ => format!("ts_currval({})", literal(&name.to_string())),
    };
    Ok(Some(Term::new(sql, Type::Int8)))
}

/// The table whose rows SQLite numbers, if this is the sequence of that column.
fn owner_by_row<'c>(catalog: &'c Catalog, name: &TableName) -> Option<(&'c TableName, &'c Column)> {
    let (table, column) = schema::column_of_sequence(catalog, name)?;
    let definition = catalog.table(table)?;
    (row_number(catalog, table, definition)?.name == column.name).then_some((table, column))
}

/// Lets a sequence go on after a number, given as SQL of one that may be null, by `ts_setval`, which stays
/// whatever becomes of the transaction, or `ts_restart`, which does not.
fn set(catalog: &Catalog, name: &TableName, last: &str, by: &str) -> String {
    match owner_by_row(catalog, name) {
        Some((table, _)) => {
            let file = literal(&file_name(table));
            format!(
                "UPDATE sqlite_sequence SET seq = coalesce({last}, seq) WHERE name = {file}; \
                 INSERT INTO sqlite_sequence (name, seq) SELECT {file}, {last} \
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {file}) AND {last} IS NOT NULL"
            )
        }
        None => format!("SELECT {by}({}, {last})", literal(&name.to_string())),
    }
}

/// What a table's sequences are set to when it begins anew.
pub(super) fn restarted(catalog: &Catalog, name: &TableName, table: &Table) -> Vec<String> {
    let all = table.columns.iter().filter_map(|column| sequence_of(catalog, name, column));
    all.map(|(called, sequence)| {
        set(catalog, &called, &(sequence.start - sequence.increment).to_string(), "ts_restart")
    })
    .collect()
}

/// What `alter sequence … restart` does to the numbers themselves.
pub fn after(catalog: &Catalog, statement: &Statement) -> Option<String> {
    let schema::Own::AlterSequence { name, change, .. } = statement.own.as_ref()? else { return None };
    let sequence = catalog.sequences.get(name).cloned().unwrap_or_default();
    let next = change.restarts(&sequence)?;
    Some(set(catalog, name, &(next - sequence.increment).to_string(), "ts_restart"))
}

/// `select setval(…)`
///
/// # Errors
/// 42P01 for an unknown sequence, 0A000 for what is no such query.
pub(super) fn setval(catalog: &Catalog, parsed: &Parsed) -> Result<Vec<String>> {
    let refused = || Error::unsupported("a query besides setval(sequence, number) runs on PostgreSQL only");
    let Parsed::Query(query) = parsed else { return Err(refused()) };
    let SetExpr::Select(select) = query.body.as_ref() else { return Err(refused()) };
    let mut statements = Vec::new();
    for item in &select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            return Err(refused());
        };
        let Expr::Function(function) = expr else { return Err(refused()) };
        let called = schema::parts(&function.name).pop().unwrap_or_default();
        let FunctionArguments::List(list) = &function.args else { return Err(refused()) };
        let arguments: Vec<&Expr> = list
            .args
            .iter()
            .filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect();
        let (name, number, is_called) = match arguments.as_slice() {
            [name, number] if called == "setval" => (name, number, "true".to_owned()),
            [name, number, is_called] if called == "setval" => {
                (name, number, is_called.to_string().to_lowercase())
            }
            _ => return Err(refused()),
        };
        let name = named(catalog, name).ok_or_else(refused)?;
        if !schema::sequence_exists(catalog, &name) {
            return Err(schema::fault("42P01", format!("relation \"{}\" does not exist", name.name)));
        }
        let from = select.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        // The number may be an aggregate of the rows that the query itself is from.
        let text =
            if from.is_empty() { format!("select {number}") } else { format!("select {number} from {from}") };
        let Parsed::Query(number) = super::write::statement_of(&text)? else { return Err(refused()) };
        let (sql, _) = Translator::new(&Scope::new(catalog)).query(&number)?;
        let by = catalog.sequences.get(&name).map_or(1, |sequence| sequence.increment);
        let last = match is_called.as_str() {
            "true" => format!("({sql})"),
            "false" => format!("(({sql}) - {by})"),
            _ => return Err(refused()),
        };
        statements.push(set(catalog, &name, &last, "ts_setval"));
    }
    Ok(statements)
}

/// The sequence that the first argument of `setval` names.
fn named(catalog: &Catalog, expr: &Expr) -> Option<TableName> {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => named(catalog, expr),
        Expr::Value(value) => value.clone().into_string().map(|text| schema::sequence_name(&text)),
        Expr::Function(function) => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let texts: Vec<String> =
                list.args.iter().map(|one| one.to_string().trim_matches('\'').to_owned()).collect();
            let [table, column] = texts.as_slice() else { return None };
            let table = schema::sequence_name(table);
            let column = catalog.table(&table)?.column(column)?;
            let serial = schema::parts(&function.name).pop()? == "pg_get_serial_sequence";
            serial.then(|| sequence_of(catalog, &table, column)).flatten().map(|(name, _)| name)
        }
        _ => None,
    }
}

/// The first number of a table that SQLite numbers, where it is not 1: what came before it.
pub fn before_first(catalog: &Catalog, name: &TableName, table: &Table) -> Option<i64> {
    let column = row_number(catalog, name, table)?;
    let (_, sequence) = sequence_of(catalog, name, column)?;
    (sequence.start != 1).then(|| sequence.start - 1)
}
