//! The query language as values: what PostgREST's URLs and the Rust builders both become.
//!
//! Semantics follow PostgREST 14 (<https://docs.postgrest.org/en/v14/references/api.html>). Names
//! and literals are data from outside: a planner resolves names against the catalog and binds
//! every literal.

use serde::{Deserialize, Serialize};

/// A table, view or function by schema and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// Schema, such as `public`.
    pub schema: String,
    /// Name within the schema.
    pub name: String,
}

impl TableName {
    /// A name in a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// A name in schema `public`.
    pub fn public(name: impl Into<String>) -> Self {
        TableName::new("public", name)
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A column, optionally followed by a JSON path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Column, computed column or (in filters) embed name.
    pub name: String,
    /// Steps into a JSON column; empty for the column itself.
    pub path: Vec<JsonStep>,
}

impl Field {
    /// A plain column.
    pub fn column(name: impl Into<String>) -> Self {
        Field { name: name.into(), path: Vec::new() }
    }
}

/// One step of a JSON path: `->key`, `->>key`, `->1`, `->>1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonStep {
    /// What to take.
    pub key: JsonKey,
    /// `->>`: as text; otherwise as JSON.
    pub as_text: bool,
}

/// A key or an index of a JSON step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JsonKey {
    /// Object key.
    Key(String),
    /// Array index; negative counts from the end.
    Index(i64),
}

/// An aggregate over a column: `amount.sum()::text`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// Which one.
    pub function: AggregateFunction,
    /// Cast of the result.
    pub cast: Option<String>,
}

/// The aggregate functions of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AggregateFunction {
    Avg,
    Count,
    Max,
    Min,
    Sum,
}

impl AggregateFunction {
    /// Its name, which the column that it gives has too.
    pub fn name(self) -> &'static str {
        match self {
            AggregateFunction::Avg => "avg",
            AggregateFunction::Count => "count",
            AggregateFunction::Max => "max",
            AggregateFunction::Min => "min",
            AggregateFunction::Sum => "sum",
        }
    }
}

/// One item of a `select` list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// `*`
    All,
    /// `count()` without a column.
    Count {
        /// Name in the reply, `count` by default.
        alias: Option<String>,
        /// Cast of the result.
        cast: Option<String>,
    },
    /// `alias:column->path::cast.aggregate()`
    Column {
        /// The column and path.
        field: Field,
        /// Name in the reply.
        alias: Option<String>,
        /// Cast of the column's value (before aggregation), a type name.
        cast: Option<String>,
        /// Aggregate over it.
        aggregate: Option<Aggregate>,
    },
    /// `alias:relation!hint!inner(…)`, or spread `...relation(…)`.
    Embed(Embed),
}

impl Item {
    /// A plain column under its own name.
    pub fn column(name: impl Into<String>) -> Self {
        Item::Column { field: Field::column(name), alias: None, cast: None, aggregate: None }
    }
}

/// A related resource inside a `select` list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Embed {
    /// Related table, foreign key or computed relationship.
    pub relation: String,
    /// Name in the reply, the relation by default.
    pub alias: Option<String>,
    /// Disambiguates by constraint or column (`!hint`).
    pub hint: Option<String>,
    /// Whether parents without a match are dropped (`!inner`).
    pub inner: bool,
    /// `...`: its columns go into the parent.
    pub spread: bool,
    /// What to take of it.
    pub query: Query,
}

impl Embed {
    /// The name under which filters and orders refer to it and under which it appears.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.relation)
    }
}

/// What to take of a table: columns and embeds, which rows, in which order, how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// The `select` list. Empty selects no column (an embed used for filtering only); a request
    /// without `select` has [`Item::All`].
    pub items: Vec<Item>,
    /// Which rows.
    pub filter: Option<Filter>,
    /// In which order.
    pub order: Vec<Order>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: u64,
}

impl Query {
    /// All columns of all rows.
    pub fn all() -> Self {
        Query { items: vec![Item::All], ..Query::default() }
    }

    /// Whether it takes some of the rows and leaves others: who writes these has to read them.
    pub fn picks(&self) -> bool {
        self.filter.is_some() || self.limit.is_some() || self.offset > 0
    }

    /// Adds a condition to those already there.
    pub fn and(&mut self, filter: Filter) {
        self.filter = Some(match self.filter.take() {
            None => filter,
            Some(Filter::And(mut all)) => {
                all.push(filter);
                Filter::And(all)
            }
            Some(first) => Filter::And(vec![first, filter]),
        });
    }
}

/// A condition on rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// All hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A field compared with a literal.
    Compare(Comparison),
}

impl Filter {
    /// `column = literal`.
    pub fn eq(column: impl Into<String>, literal: impl Into<String>) -> Self {
        Filter::Compare(Comparison {
            field: Field::column(column),
            operator: Operator::Eq,
            quantifier: None,
            operand: Operand::Text(literal.into()),
        })
    }

    /// The negation.
    #[must_use]
    pub fn negated(self) -> Self {
        Filter::Not(Box::new(self))
    }
}

/// A field compared with a literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// Left side.
    pub field: Field,
    /// How.
    pub operator: Operator,
    /// `eq(any).{…}`: the operand is an array literal; one or all elements must match.
    pub quantifier: Option<Quantifier>,
    /// Right side.
    pub operand: Operand,
}

/// Right side of a comparison. Texts are in PostgreSQL's input syntax of the column's type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// One literal.
    Text(String),
    /// The literals of `in`.
    List(Vec<String>),
    /// What `is` compares with.
    Is(Is),
}

/// What `is` compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Is {
    Null,
    NotNull,
    True,
    False,
    Unknown,
}

/// Quantifier of a comparison with an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Quantifier {
    Any,
    All,
}

/// Comparison operators.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Eq,
    /// `<>`
    Neq,
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `<`
    Lt,
    /// `<=`
    Lte,
    /// `like`; `*` was already replaced by `%`.
    Like,
    /// `ilike`; `*` was already replaced by `%`.
    Ilike,
    /// `~`
    Match,
    /// `~*`
    Imatch,
    /// `is`
    Is,
    /// `is distinct from`
    IsDistinct,
    /// `in (…)`
    In,
    /// `@>`
    Contains,
    /// `<@`
    ContainedBy,
    /// `&&`
    Overlaps,
    /// `<<`
    StrictlyLeft,
    /// `>>`
    StrictlyRight,
    /// `&<`
    NotRight,
    /// `&>`
    NotLeft,
    /// `-|-`
    Adjacent,
    /// `@@` with a query made by one of PostgreSQL's parsers, and a text-search configuration.
    FullText(FullTextParser, Option<String>),
}

impl Operator {
    /// The word that the language has for it.
    pub fn word(&self) -> &'static str {
        match self {
            Operator::Eq => "eq",
            Operator::Neq => "neq",
            Operator::Gt => "gt",
            Operator::Gte => "gte",
            Operator::Lt => "lt",
            Operator::Lte => "lte",
            Operator::Like => "like",
            Operator::Ilike => "ilike",
            Operator::Match => "match",
            Operator::Imatch => "imatch",
            Operator::Is => "is",
            Operator::IsDistinct => "isdistinct",
            Operator::In => "in",
            Operator::Contains => "cs",
            Operator::ContainedBy => "cd",
            Operator::Overlaps => "ov",
            Operator::StrictlyLeft => "sl",
            Operator::StrictlyRight => "sr",
            Operator::NotRight => "nxr",
            Operator::NotLeft => "nxl",
            Operator::Adjacent => "adj",
            Operator::FullText(FullTextParser::Raw, _) => "fts",
            Operator::FullText(FullTextParser::Plain, _) => "plfts",
            Operator::FullText(FullTextParser::Phrase, _) => "phfts",
            Operator::FullText(FullTextParser::Websearch, _) => "wfts",
        }
    }
}

/// Which parser makes the full-text query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FullTextParser {
    /// `to_tsquery`
    Raw,
    /// `plainto_tsquery`
    Plain,
    /// `phraseto_tsquery`
    Phrase,
    /// `websearch_to_tsquery`
    Websearch,
}

/// One term of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// To-one embed the field belongs to; `None` for the table itself.
    pub relation: Option<String>,
    /// What to order by.
    pub field: Field,
    /// Descending; ascending is the default.
    pub descending: bool,
    /// Where nulls go; PostgreSQL's default (largest) if absent.
    pub nulls: Option<Nulls>,
}

/// Where nulls go in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Nulls {
    First,
    Last,
}

/// How the total of matching rows is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// By counting.
    Exact,
    /// The engine's estimate.
    Planned,
    /// Exact up to `max_rows`, the estimate beyond.
    Estimated,
}
