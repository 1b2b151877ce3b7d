//! Views that rows of one table are written through, as PostgreSQL finds them
//! (<https://www.postgresql.org/docs/current/sql-createview.html>, "Updatable Views").

use sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement,
    TableFactor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use truststream_services::database::{Catalog, Table, TableKind, TableName};

use crate::expression::{Rights, Scope, Translator, Unsupported, file_name};
use crate::quote::quote;
use crate::schema::{ident, table_name};

/// How deep views may lie upon one another.
const DEEPEST: usize = 16;

/// The table that is written through a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The table.
    pub table: TableName,
    /// For each column of the view the table's column that it is; `None` where it is computed.
    pub columns: Vec<(String, Option<String>)>,
    /// For columns of the table the default that the view, or one below it, has of its own.
    pub defaults: Vec<(String, String)>,
    /// Whether the view is asked with the rights of who writes, not with its owner's.
    pub invoker: bool,
}

impl Base {
    /// The table's column that a column of the view is.
    pub fn column(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|(column, _)| column == name)?.1.as_deref()
    }

    /// The name that the view has for a column of the table.
    pub fn shown(&self, column: &str) -> Option<&str> {
        let shown = self.columns.iter().find(|(_, base)| base.as_deref() == Some(column));
        shown.map(|(name, _)| name.as_str())
    }
}

/// The table that is written through a view; `None` where none is.
pub fn base(catalog: &Catalog, view: &TableName) -> Option<Base> {
    base_at(catalog, view, 0)
}

fn base_at(catalog: &Catalog, name: &TableName, depth: usize) -> Option<Base> {
    let table = catalog.table(name)?;
    let TableKind::View { invoker, .. } = &table.kind else { return None };
    let query = query_of(table)?;
    let (select, below) = plain(&query)?;
    let under = catalog.table(&below).filter(|_| depth < DEEPEST)?;
    let shown = columns_of(select, under)?;
    let (base, through) = match under.kind {
        TableKind::Table => (below, None),
        TableKind::View { .. } => {
            let base = base_at(catalog, &below, depth + 1)?;
            (base.table.clone(), Some(base))
        }
    };
    let to_base = |column: String| match &through {
        Some(view) => view.column(&column).map(str::to_owned),
        None => Some(column),
    };
    let names = table.columns.iter().map(|column| column.name.clone());
    let columns: Vec<_> = names.zip(shown).map(|(name, column)| (name, column.and_then(to_base))).collect();
    let writable = columns.iter().any(|(_, column)| column.is_some());
    let mut defaults = through.map(|view| view.defaults).unwrap_or_default();
    for (column, (_, below)) in table.columns.iter().zip(&columns) {
        if let (Some(default), Some(below)) = (&column.default, below) {
            defaults.retain(|(name, _)| name != below);
            defaults.push((below.clone(), default.clone()));
        }
    }
    writable.then_some(Base { table: base, columns, defaults, invoker: *invoker })
}

/// A view's rows with the row ids of the table that is written through it: those the view shows, or
/// all that could be in it. `source` says what stands for that table.
///
/// # Errors
/// What can't be translated.
pub fn rows(
    scope: &Scope<'_>,
    name: &TableName,
    filtered: bool,
    source: &dyn Fn(&TableName) -> Result<String, Unsupported>,
) -> Result<String, Unsupported> {
    let missing = || Unsupported::new(name, "this view shows no rows of one table");
    let view = scope.catalog.table(name).ok_or_else(missing)?;
    let mut query = query_of(view).ok_or_else(missing)?;
    let (_, below) = plain(&query).ok_or_else(missing)?;
    if let (false, SetExpr::Select(select)) = (filtered, query.body.as_mut()) {
        select.selection = None;
    }
    let under = |table: &TableName| match scope.catalog.table(table).map(|table| &table.kind) {
        Some(TableKind::View { .. }) if *table == below => {
            Ok(format!("({})", rows(scope, table, filtered, source)?))
        }
        _ if *table == below => source(table),
        _ => scope.source.map_or_else(|| Ok(quote(&file_name(table))), |source| source(table)),
    };
    let within = Scope { source: Some(&under), ..*scope };
    let TableKind::View { invoker, .. } = view.kind else { return Err(missing()) };
    let rights = if invoker { Rights::Caller } else { Rights::View };
    let (sql, found) = Translator::new(&within).with_rights(rights).query(&query)?;
    // The first thing that a query reads from is called so.
    let sql = sql.strip_prefix("SELECT ").ok_or_else(missing)?;
    let names: Vec<_> = (0..found.len())
        .map(|at| quote(view.columns.get(at).map_or(&format!("c{at}"), |column| &column.name)))
        .collect();
    let names = names.join(", ");
    Ok(format!("WITH q(rowid, {names}) AS (SELECT \"p1\".rowid, {sql}) SELECT * FROM q"))
}

fn query_of(view: &Table) -> Option<Query> {
    let TableKind::View { definition, .. } = &view.kind else { return None };
    match Parser::parse_sql(&PostgreSqlDialect {}, definition).ok()?.into_iter().next()? {
        Statement::Query(query) => Some(*query),
        _ => None,
    }
}

/// The select of a query that only shows rows of one table, and that table.
fn plain(query: &Query) -> Option<(&Select, TableName)> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty());
    let whole = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    if !whole || !ungrouped || select.distinct.is_some() || select.having.is_some() {
        return None;
    }
    match select.from.as_slice() {
        [only] if only.joins.is_empty() => match &only.relation {
            TableFactor::Table { name, args: None, sample: None, .. } => Some((select, table_name(name))),
            _ => None,
        },
        _ => None,
    }
}

/// For each column that a select shows, the column of its table that it is; `None` for a select of
/// aggregates, which shows no rows.
fn columns_of(select: &Select, table: &Table) -> Option<Vec<Option<String>>> {
    let all = || table.columns.iter().map(|column| Some(column.name.clone()));
    let mut columns: Vec<Option<String>> = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_)
            | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), _) => {
                columns.extend(all());
            }
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                if groups(expr) {
                    return None;
                }
                let name = column_of(expr).filter(|name| table.column(name).is_some());
                // A column shown twice is written through the first.
                let again = name.is_some() && columns.contains(&name);
                columns.push(name.filter(|_| !again));
            }
            _ => return None,
        }
    }
    Some(columns)
}

fn column_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(ident(name)),
        Expr::CompoundIdentifier(names) => names.last().map(ident),
        Expr::Nested(inner) => column_of(inner),
        _ => None,
    }
}

/// Whether an expression is made of several rows: it calls an aggregate or a window function. What a query
/// within it calls is that query's.
fn groups(expr: &Expr) -> bool {
    let text = expr.to_string();
    let Ok(mut tokens) = Tokenizer::new(&PostgreSqlDialect {}, &text).tokenize() else { return true };
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    // How many brackets are open, and at which of them a query began.
    let (mut open, mut query) = (0_usize, None);
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        match token {
            Token::LParen => {
                open += 1;
                if query.is_none() && next.is_some_and(begins_a_query) {
                    query = Some(open);
                }
            }
            Token::RParen => {
                query = query.filter(|began| *began != open);
                open = open.saturating_sub(1);
            }
            Token::Word(word)
                if query.is_none()
                    && next == Some(&Token::LParen)
                    && crate::expression::is_aggregate(&word.value.to_lowercase()) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

fn begins_a_query(token: &Token) -> bool {
    matches!(token, Token::Word(word) if matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES))
}
