//! Selects: what is shown, grouped, ordered, and made distinct.

use sqlparser::ast::{
    AccessExpr, Distinct, Expr, FunctionArguments, GroupByExpr, NamedWindowExpr, OrderBy, OrderByKind,
    OrderByOptions, OrderBySort, Select, SelectItem, SelectItemQualifiedWildcardKind, TableFactor,
    TableFunctionArgs, TableWithJoins, Value as Literal, WildcardAdditionalOptions,
};
use truststream_kernel::Type;
use truststream_services::database::Function;

use super::names::Relation;
use super::query::Columns;
use super::translate::Translator;
use super::{Term, Unsupported};
use crate::quote::{literal, quote};
use crate::schema::{enum_table, ident, table_name};

/// A term of an order: what is compared, and in which direction.
pub(super) struct Ordered {
    sql: String,
    direction: String,
}

impl Ordered {
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.sql, self.direction)
    }
}

type Items = Vec<(String, Term)>;

impl Translator<'_> {
    pub(super) fn select(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
    ) -> Result<(String, Columns), Unsupported> {
        if select.into.is_some() || !select.lateral_views.is_empty() || select.qualify.is_some() {
            return Err(Unsupported::new(select, "only plain selects"));
        }
        let rows = self.rows_of_a_call(select);
        let select = rows.as_ref().unwrap_or(select);
        self.levels.push(Vec::new());
        let windows = self.windows.len();
        let result = self.select_parts(select, order);
        self.windows.truncate(windows);
        self.levels.pop();
        result
    }

    fn select_parts(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
    ) -> Result<(String, Columns), Unsupported> {
        let from = select.from.iter().map(|from| self.from(from)).collect::<Result<Vec<_>, _>>()?;
        self.name_windows(select)?;
        let items = self.items(&select.projection)?;
        let mut rest = String::new();
        if !from.is_empty() {
            rest.push_str(&format!(" FROM {}", from.join(", ")));
        }
        if let Some(condition) = &select.selection {
            let mut conditions = self.candidates(condition)?;
            conditions.push(self.condition(condition)?);
            rest.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        rest.push_str(&self.grouping(&select.group_by, &items)?);
        if let Some(condition) = &select.having {
            rest.push_str(&format!(" HAVING {}", self.condition(condition)?));
        }
        let orders = self.orders(order, &items)?;
        let distinct = match &select.distinct {
            Some(Distinct::On(keys)) => {
                let sql = self.distinct_on(keys, &items, &rest, &orders)?;
                return Ok((sql, items.into_iter().map(|(name, term)| (name, term.ty)).collect()));
            }
            Some(Distinct::Distinct) => "DISTINCT ",
            _ => "",
        };
        let shown: Vec<_> =
            items.iter().map(|(name, term)| format!("{} AS {}", term.sql, quote(name))).collect();
        let mut sql = format!("SELECT {distinct}{}{rest}", shown.join(", "));
        if !orders.is_empty() {
            let orders: Vec<_> = orders.iter().map(Ordered::whole).collect();
            sql.push_str(&format!(" ORDER BY {}", orders.join(", ")));
        }
        Ok((sql, items.into_iter().map(|(name, term)| (name, term.ty)).collect()))
    }

    /// `select f()` of a function that gives rows, as `select f from f()`.
    fn rows_of_a_call(&self, select: &Select) -> Option<Select> {
        let ([SelectItem::UnnamedExpr(Expr::Function(function))], []) =
            (select.projection.as_slice(), select.from.as_slice())
        else {
            return None;
        };
        let name = self.function_named(&function.name);
        let gives_rows =
            |known: &&Function| known.name == name && known.returns.set && !known.returns.composite;
        self.scope.catalog.functions.iter().find(gives_rows)?;
        let FunctionArguments::List(list) = &function.args else { return None };
        let relation = TableFactor::Table {
            name: function.name.clone(),
            alias: None,
            args: Some(TableFunctionArgs { args: list.args.clone(), settings: None }),
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        };
        Some(Select {
            projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
            from: vec![TableWithJoins { relation, joins: Vec::new() }],
            ..select.clone()
        })
    }

    fn name_windows(&mut self, select: &Select) -> Result<(), Unsupported> {
        for window in &select.named_window {
            let spec = match &window.1 {
                NamedWindowExpr::WindowSpec(spec) => self.window(spec)?,
                NamedWindowExpr::NamedWindow(_) => {
                    return Err(Unsupported::new(select, "a window that is another one"));
                }
            };
            self.windows.push((ident(&window.0), spec));
        }
        Ok(())
    }

    /// The first row of each group of equal keys, in the order asked for.
    fn distinct_on(
        &mut self,
        keys: &[Expr],
        items: &Items,
        rest: &str,
        orders: &[Ordered],
    ) -> Result<String, Unsupported> {
        let keys = keys.iter().map(|key| self.key(key, items)).collect::<Result<Vec<_>, _>>()?;
        let mut cells: Vec<String> =
            items.iter().enumerate().map(|(at, (_, term))| format!("{} AS \"c{at}\"", term.sql)).collect();
        cells.extend(orders.iter().enumerate().map(|(at, order)| format!("{} AS \"o{at}\"", order.sql)));
        let inner: Vec<_> = orders.iter().map(Ordered::whole).collect();
        let ordered =
            if inner.is_empty() { String::new() } else { format!(" ORDER BY {}", inner.join(", ")) };
        cells.push(format!("row_number() OVER (PARTITION BY {}{ordered}) AS \"n\"", keys.join(", ")));
        let shown: Vec<_> =
            items.iter().enumerate().map(|(at, (name, _))| format!("\"c{at}\" AS {}", quote(name))).collect();
        let outer: Vec<_> =
            orders.iter().enumerate().map(|(at, order)| format!("\"o{at}\"{}", order.direction)).collect();
        let order = if outer.is_empty() { String::new() } else { format!(" ORDER BY {}", outer.join(", ")) };
        let (shown, cells) = (shown.join(", "), cells.join(", "));
        Ok(format!("SELECT {shown} FROM (SELECT {cells}{rest}) WHERE \"n\" = 1{order}"))
    }

    fn grouping(&mut self, group_by: &GroupByExpr, items: &Items) -> Result<String, Unsupported> {
        let GroupByExpr::Expressions(keys, modifiers) = group_by else {
            return Err(Unsupported::new(group_by, "this grouping"));
        };
        if !modifiers.is_empty() {
            return Err(Unsupported::new(group_by, "this grouping"));
        }
        let keys = keys.iter().map(|key| self.key(key, items)).collect::<Result<Vec<_>, _>>()?;
        Ok(if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) })
    }

    /// A key of a group: an expression over the rows, or an item by its name or number.
    fn key(&mut self, key: &Expr, items: &Items) -> Result<String, Unsupported> {
        let term = match numbered(key, items) {
            Some(term) => term,
            None => match self.expr(key) {
                Ok(term) => term,
                Err(error) => called(key, items).ok_or(error)?,
            },
        };
        Ok(match term.known() {
            Some(Type::Numeric(_)) => format!("{} COLLATE DECIMAL", term.sql),
            _ => term.sql,
        })
    }

    fn orders(&mut self, order: Option<&OrderBy>, items: &Items) -> Result<Vec<Ordered>, Unsupported> {
        let Some(order) = order else { return Ok(Vec::new()) };
        let OrderByKind::Expressions(terms) = &order.kind else {
            return Err(Unsupported::new(order, "this order"));
        };
        let terms = terms.iter().map(|order| {
            let term = match numbered(&order.expr, items).or_else(|| called(&order.expr, items)) {
                Some(term) => term,
                None => self.expr(&order.expr)?,
            };
            self.ordered(&term, &order.options)
        });
        terms.collect()
    }

    /// A term of an order, with PostgreSQL's place for nulls.
    pub(crate) fn order(&mut self, expr: &Expr, options: &OrderByOptions) -> Result<String, Unsupported> {
        let term = self.expr(expr)?;
        Ok(self.ordered(&term, options)?.whole())
    }

    pub(super) fn ordered(&self, term: &Term, options: &OrderByOptions) -> Result<Ordered, Unsupported> {
        let sql = match term.known() {
            Some(Type::Numeric(_)) => format!("{} COLLATE DECIMAL", term.sql),
            Some(Type::Jsonb) => format!("{} COLLATE JSONB", term.sql),
            Some(Type::Other(name)) if name == "tsvector" => format!("{} COLLATE TSVECTOR", term.sql),
            Some(Type::Interval) => format!("ts_interval_span({})", term.sql),
            Some(Type::Enum(name)) => {
                let labels = self.scope.catalog.enums.get(&enum_table(name)).into_iter().flatten();
                let ranks: Vec<_> = labels
                    .enumerate()
                    .map(|(at, label)| format!("WHEN {} THEN {at}", literal(label)))
                    .collect();
                format!("CASE {} {} END", term.sql, ranks.join(" "))
            }
            // What PostgreSQL compares field by field.
            Some(ty) if self.composite(ty).is_some() => {
                let words = format!("this database has no order of values of type {ty}");
                format!("ts_raise('0A000', {})", literal(&words))
            }
            _ => term.sql.clone(),
        };
        let down = match &options.sort {
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Asc) | None => false,
            Some(other) => return Err(Unsupported::new(&term.sql, format!("order {other:?}"))),
        };
        let first = options.nulls_first.unwrap_or(down);
        let (down, first) = (if down { "DESC" } else { "ASC" }, if first { "FIRST" } else { "LAST" });
        Ok(Ordered { sql, direction: format!(" {down} NULLS {first}") })
    }

    pub(crate) fn items(&mut self, items: &[SelectItem]) -> Result<Items, Unsupported> {
        let mut terms = Items::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) => terms.push((column_name(expr), self.item(expr)?)),
                SelectItem::ExprWithAlias { expr, alias } => terms.push((ident(alias), self.item(expr)?)),
                SelectItem::Wildcard(_) => {
                    terms.extend(self.levels.last().into_iter().flatten().flat_map(Relation::shown));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let name = table_name(name).name;
                    let found = self.relation(&name).map(Relation::terms);
                    terms.extend(found.ok_or_else(|| Unsupported::new(item, "there is no such table"))?);
                }
                other => return Err(Unsupported::new(other, "this item of a select")),
            }
        }
        if terms.is_empty() {
            terms.push(("?column?".into(), Term::null()));
        }
        Ok(terms)
    }

    fn item(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        let term = match self.row(expr) {
            Some(row) => return Ok(row),
            None => self.expr(expr)?,
        };
        self.settled(term)
    }

    /// What is called so, innermost first.
    pub(super) fn relation(&self, name: &str) -> Option<&Relation> {
        self.levels.iter().rev().flatten().find(|relation| relation.is_called(None, name))
    }
}

/// The item that a number means.
fn numbered(expr: &Expr, items: &Items) -> Option<Term> {
    let Expr::Value(value) = expr else { return None };
    let Literal::Number(digits, _) = &value.value else { return None };
    let at = digits.parse::<usize>().ok()?.checked_sub(1)?;
    items.get(at).map(|(_, term)| term.clone())
}

/// The item of a name.
fn called(expr: &Expr, items: &Items) -> Option<Term> {
    let Expr::Identifier(name) = expr else { return None };
    items.iter().find(|(item, _)| *item == ident(name)).map(|(_, term)| term.clone())
}

fn column_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => ident(name),
        Expr::CompoundIdentifier(names) => names.last().map(ident).unwrap_or_default(),
        Expr::Function(function) => table_name(&function.name).name,
        Expr::Nested(expr) => column_name(expr),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|step| match step {
                AccessExpr::Dot(Expr::Identifier(name)) => Some(ident(name)),
                _ => None,
            });
            field.unwrap_or_else(|| column_name(root))
        }
        Expr::Cast { expr, data_type, .. } => match column_name(expr).as_str() {
            "?column?" => type_label(&Type::parse(&data_type.to_string())),
            name => name.to_owned(),
        },
        Expr::Case { .. } => "case".into(),
        Expr::Exists { .. } => "exists".into(),
        Expr::Extract { .. } => "extract".into(),
        Expr::Array(_) => "array".into(),
        Expr::Subquery(query) => match query.body.as_ref() {
            sqlparser::ast::SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => column_name(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => ident(alias),
                _ => "?column?".into(),
            },
            _ => "?column?".into(),
        },
        _ => "?column?".into(),
    }
}

/// The name of a type in `pg_type`, which a cast without a better name is called by.
fn type_label(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::Int2 => "int2".into(),
        Type::Int4 => "int4".into(),
        Type::Int8 => "int8".into(),
        Type::Float4 => "float4".into(),
        Type::Float8 => "float8".into(),
        Type::Numeric(_) => "numeric".into(),
        Type::Varchar(_) => "varchar".into(),
        Type::Char(_) => "bpchar".into(),
        Type::Timestamptz => "timestamptz".into(),
        Type::Timestamp => "timestamp".into(),
        Type::Time => "time".into(),
        Type::Array(element) => type_label(element),
        other => other.sql_name(),
    }
}
