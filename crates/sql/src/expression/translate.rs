//! The walk over an expression.

use std::cell::RefCell;

use sqlparser::ast::{BinaryOperator as Binary, DataType, Expr, ObjectName, UnaryOperator, Value as Literal};
use truststream_kernel::{Type, Value};
use truststream_services::database::{Catalog, TableName};

use super::arrays::query_of_array;
use super::names::{Relation, column};
use super::subselect::at_most_one;
use super::{Scope, Term, Unsupported, caseless};
use crate::schema::{enum_name, parts, table_name, type_named, type_of};

/// Whose rights hold for what is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Those of the scope's caller.
    Caller,
    /// Those of an owner, whoever calls: within `security definer` functions.
    Owner,
    /// Those of an owner for tables, and those of who asks for all else: within views.
    View,
}

/// Translates one expression.
pub(crate) struct Translator<'a> {
    pub(super) scope: Scope<'a>,
    /// What columns come from, outermost query first.
    pub(super) levels: Vec<Vec<Relation>>,
    /// Sub-selects named so far.
    pub(super) relations: usize,
    /// What `with` named, innermost last.
    pub(super) named: Vec<Relation>,
    /// Where the expression will stand there can be no sub-selects.
    pub(super) alone: bool,
    /// Whose rights hold here.
    pub(super) rights: Rights,
    /// The schema whose names need no schema, within functions: theirs, as a request for one has it
    /// in its search path.
    pub(super) path: Option<String>,
    /// The functions whose bodies lead here.
    pub(super) callers: Vec<TableName>,
    /// What the named windows of the selects around are.
    pub(super) windows: Vec<(String, String)>,
    /// Where literals are bound instead of written: a statement's parameters, and those.
    pub(super) bound: Option<Bound>,
}

/// What is bound to a statement: first its parameters, then what it and they are read as.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// Texts of the parameters.
    pub(crate) parameters: Vec<Option<String>>,
    /// Values read.
    pub(crate) values: RefCell<Vec<Value>>,
}

impl Bound {
    /// Binds a value: its mark.
    pub(super) fn push(&self, value: Value) -> String {
        let mut values = self.values.borrow_mut();
        values.push(value);
        format!("?{}", self.parameters.len() + values.len())
    }
}

impl<'a> Translator<'a> {
    pub(crate) fn new(scope: &Scope<'a>) -> Self {
        let outer = scope.table.and_then(|name| {
            let relation = Relation::of_table(name, scope.catalog.table(name)?);
            Some(Relation { alias: scope.alias.map(str::to_owned), ..relation })
        });
        Translator {
            scope: *scope,
            levels: vec![outer.into_iter().collect()],
            relations: 0,
            named: Vec::new(),
            alone: false,
            rights: Rights::Caller,
            path: None,
            callers: Vec::new(),
            windows: Vec::new(),
            bound: None,
        }
    }

    /// A translator of an expression by itself: where its columns are not qualified, it is a part of
    /// a table, in which SQLite takes no sub-selects.
    pub(crate) fn of_expression(scope: &Scope<'a>) -> Self {
        Translator { alone: scope.alias.is_none(), ..Translator::new(scope) }
    }

    /// The same with other rights.
    pub(crate) fn with_rights(self, rights: Rights) -> Self {
        Translator { rights, ..self }
    }

    /// Takes parameters, and binds them and all literals.
    pub(crate) fn binding(self, parameters: Vec<Option<String>>) -> Self {
        Translator { bound: Some(Bound { parameters, ..Bound::default() }), ..self }
    }

    /// What was bound.
    pub(crate) fn take_bound(&mut self) -> Option<Bound> {
        self.bound.take()
    }

    /// The catalog names are looked up in.
    pub(crate) fn catalog(&self) -> &'a Catalog {
        self.scope.catalog
    }

    /// The table that a name means.
    pub(crate) fn table_named(&self, name: &ObjectName) -> TableName {
        let catalog = self.scope.catalog;
        self.meant(name, |name| catalog.has_relation(name))
    }

    /// The function that a name means.
    pub(super) fn function_named(&self, name: &ObjectName) -> TableName {
        self.meant(name, |name| self.scope.catalog.functions.iter().any(|function| function.name == *name))
    }

    fn meant(&self, name: &ObjectName, exists: impl Fn(&TableName) -> bool) -> TableName {
        let public = table_name(name);
        match &self.path {
            Some(schema) if parts(name).len() == 1 => {
                Some(TableName::new(schema.as_str(), public.name.as_str())).filter(exists).unwrap_or(public)
            }
            _ => public,
        }
    }

    /// Lets names mean columns of these before all others.
    pub(crate) fn push_level(&mut self, relations: Vec<Relation>) {
        self.levels.push(relations);
    }

    /// Takes the last level of names away.
    pub(crate) fn pop_level(&mut self) {
        self.levels.pop();
    }

    /// Lets a name mean these rows, as if `with` had given it.
    pub(crate) fn remember(&mut self, rows: Relation) {
        self.named.push(rows);
    }

    /// Takes the last of such names away.
    pub(crate) fn forget(&mut self, count: usize) {
        self.named.truncate(self.named.len().saturating_sub(count));
    }

    pub(super) fn type_of(&self, data_type: &DataType) -> Type {
        if let (Some(schema), DataType::Custom(name, arguments)) = (&self.path, data_type)
            && let ([only], []) = (parts(name).as_slice(), arguments.as_slice())
        {
            let name = TableName::new(schema.as_str(), only.as_str());
            if self.scope.catalog.enums.contains_key(&name) {
                return Type::Enum(enum_name(&name));
            }
        }
        if let Some((_, domain)) = self.domain_meant(data_type) {
            return type_named(self.scope.catalog, &domain.base);
        }
        caseless::named(&data_type.to_string()).unwrap_or_else(|| type_of(self.scope.catalog, data_type))
    }

    pub(super) fn shown(&self, items: &[Expr]) -> String {
        items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Translates an expression.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        match expr {
            Expr::Nested(inner) => self.expr(inner),
            Expr::Identifier(name) => column(&self.levels, std::slice::from_ref(name)),
            Expr::CompoundIdentifier(names) => column(&self.levels, names),
            Expr::Tuple(_) => Err(Unsupported::new(expr, "a row is compared with rows only")),
            Expr::Value(value) => self.literal(&value.value),
            Expr::TypedString(typed) => {
                let ty = self.type_of(&typed.data_type);
                let text = typed.value.clone().into_string().unwrap_or_default();
                self.read_literal(&text, &ty)
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Function(function) => match query_of_array(expr) {
                Some(query) => self.array_of_rows(query),
                None => self.call(function),
            },
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::InSubquery { expr, subquery, negated } => self.in_query(expr, subquery, *negated),
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, false),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, true),
            Expr::Between { expr, negated, low, high } => self.between(expr, *negated, low, high),
            Expr::Exists { subquery, negated } => {
                let (sql, _) = self.query(subquery)?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Term::new(format!("({not}EXISTS ({sql}))"), Type::Bool))
            }
            Expr::Subquery(query) => {
                let (sql, mut columns) = self.query(query)?;
                match (columns.pop(), columns.is_empty()) {
                    (Some((name, ty)), true) => {
                        self.settled(Term { sql: at_most_one(query, &sql, &name), ty })
                    }
                    _ => Err(Unsupported::new(query, "subquery must return only one column")),
                }
            }
            Expr::Array(array) => self.array(&array.elem),
            Expr::Extract { field, expr, .. } => self.extract(&field.to_string(), expr),
            Expr::CompoundFieldAccess { root, access_chain } => self.subscript(root, access_chain),
            _ => self.test(expr),
        }
    }

    /// Tests, patterns and the functions that have a syntax of their own.
    fn test(&mut self, expr: &Expr) -> Result<Term, Unsupported> {
        match expr {
            Expr::IsNull(inner) => self.postfix(inner, "IS NULL", None),
            Expr::IsNotNull(inner) => self.postfix(inner, "IS NOT NULL", None),
            Expr::IsTrue(inner) => self.postfix(inner, "IS TRUE", Some(Type::Bool)),
            Expr::IsNotTrue(inner) => self.postfix(inner, "IS NOT TRUE", Some(Type::Bool)),
            Expr::IsFalse(inner) => self.postfix(inner, "IS FALSE", Some(Type::Bool)),
            Expr::IsNotFalse(inner) => self.postfix(inner, "IS NOT FALSE", Some(Type::Bool)),
            Expr::IsUnknown(inner) => self.postfix(inner, "IS NULL", Some(Type::Bool)),
            Expr::IsNotUnknown(inner) => self.postfix(inner, "IS NOT NULL", Some(Type::Bool)),
            Expr::IsDistinctFrom(left, right) => self.compare(left, "IS NOT", right),
            Expr::IsNotDistinctFrom(left, right) => self.compare(left, "IS", right),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.pattern("ts_like", expr, pattern, *negated)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.pattern("ts_ilike", expr, pattern, *negated)
            }
            Expr::Like { negated, any: true, expr, pattern, escape_char: None } => {
                self.like_any("ts_like", expr, pattern, *negated)
            }
            Expr::ILike { negated, any: true, expr, pattern, escape_char: None } => {
                self.like_any("ts_ilike", expr, pattern, *negated)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char } => {
                self.similar(expr, pattern, escape_char.as_deref(), *negated)
            }
            Expr::Collate { expr, collation } if collation.to_string().contains('C') => self.expr(expr),
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Trim { .. } | Expr::Substring { .. } | Expr::Position { .. } | Expr::Overlay { .. } => {
                self.worded_call(expr)
            }
            Expr::Ceil { expr, .. } => self.rounded("ceil", expr),
            Expr::Floor { expr, .. } => self.rounded("floor", expr),
            other => Err(Unsupported::new(other, "this expression runs on PostgreSQL only")),
        }
    }

    fn literal(&self, value: &Literal) -> Result<Term, Unsupported> {
        match value {
            Literal::Null => Ok(Term::null()),
            Literal::Boolean(value) => Ok(Term::new(u8::from(*value).to_string(), Type::Bool)),
            Literal::Number(digits, _) => self.number(digits),
            Literal::Placeholder(mark) => self.parameter(mark),
            other => match other.clone().into_string() {
                Some(text) => Ok(Term::literal(text)),
                None => Err(Unsupported::new(other, "this kind of literal")),
            },
        }
    }

    fn number(&self, digits: &str) -> Result<Term, Unsupported> {
        match digits.parse::<i64>() {
            Ok(number) if i32::try_from(number).is_ok() => Ok(Term::new(digits, Type::Int4)),
            Ok(_) => Ok(Term::new(digits, Type::Int8)),
            Err(_) => self.read_literal(digits, &Type::Numeric(None)),
        }
    }

    fn binary(&mut self, left: &Expr, op: &Binary, right: &Expr) -> Result<Term, Unsupported> {
        match op {
            Binary::And => self.logical(left, "AND", right),
            Binary::Or => self.logical(left, "OR", right),
            Binary::Eq => self.compare(left, "=", right),
            Binary::NotEq => self.compare(left, "<>", right),
            Binary::Lt => self.compare(left, "<", right),
            Binary::LtEq => self.compare(left, "<=", right),
            Binary::Gt => self.compare(left, ">", right),
            Binary::GtEq => self.compare(left, ">=", right),
            Binary::Plus | Binary::Minus | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                self.arithmetic(left, op, right)
            }
            Binary::StringConcat => self.concatenation(left, right),
            Binary::PGRegexMatch => self.pattern("ts_match", left, right, false),
            Binary::PGRegexIMatch => self.pattern("ts_imatch", left, right, false),
            Binary::PGRegexNotMatch => self.pattern("ts_match", left, right, true),
            Binary::PGRegexNotIMatch => self.pattern("ts_imatch", left, right, true),
            Binary::PGLikeMatch => self.pattern("ts_like", left, right, false),
            Binary::PGILikeMatch => self.pattern("ts_ilike", left, right, false),
            Binary::PGNotLikeMatch => self.pattern("ts_like", left, right, true),
            Binary::PGNotILikeMatch => self.pattern("ts_ilike", left, right, true),
            Binary::Arrow => self.step(left, right, false),
            Binary::LongArrow => self.step(left, right, true),
            Binary::HashArrow => self.path(left, right, false),
            Binary::HashLongArrow => self.path(left, right, true),
            Binary::AtArrow | Binary::ArrowAt | Binary::PGOverlap => self.containment(left, op, right),
            Binary::AtAt => self.search(left, right),
            Binary::Question => self.has_key(left, right, "ts_has_key"),
            Binary::QuestionPipe => self.has_key(left, right, "ts_has_any_key"),
            Binary::QuestionAnd => self.has_key(left, right, "ts_has_all_keys"),
            Binary::HashMinus => self.without_path(left, right),
            Binary::PGExp => self.power(left, right),
            Binary::BitwiseAnd
            | Binary::BitwiseOr
            | Binary::PGBitwiseXor
            | Binary::PGBitwiseShiftLeft
            | Binary::PGBitwiseShiftRight => self.bitwise(left, op, right),
            Binary::Overlaps => self.overlaps(left, right),
            other => Err(Unsupported::new(format!("{left} {other} {right}"), "this operator")),
        }
    }

    pub(super) fn compare(&mut self, left: &Expr, op: &str, right: &Expr) -> Result<Term, Unsupported> {
        if let (Expr::Tuple(lefts), Expr::Tuple(rights)) = (left, right)
            && lefts.len() == rights.len()
            && matches!(op, "=" | "<>")
        {
            let pairs = lefts.iter().zip(rights).map(|(left, right)| Ok(self.compare(left, op, right)?.sql));
            let pairs = pairs.collect::<Result<Vec<_>, Unsupported>>()?;
            let word = if op == "=" { " AND " } else { " OR " };
            return Ok(Term::new(format!("({})", pairs.join(word)), Type::Bool));
        }
        if let (Expr::Tuple(lefts), Expr::Tuple(rights)) = (left, right)
            && lefts.len() == rights.len()
            && matches!(op, "<" | "<=" | ">" | ">=")
        {
            return self.rows_compared(lefts, op, rights);
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        self.comparison(left, op, right)
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> Result<Term, Unsupported> {
        match op {
            UnaryOperator::Not => Ok(Term::new(format!("(NOT {})", self.condition(expr)?), Type::Bool)),
            UnaryOperator::Plus => self.expr(expr),
            UnaryOperator::Minus => match expr {
                Expr::Value(value) if matches!(&value.value, Literal::Number(..)) => {
                    self.number(&format!("-{}", value.value))
                }
                _ => self.negative(expr),
            },
            UnaryOperator::BitwiseNot => self.inverted(expr),
            other => Err(Unsupported::new(format!("{other}{expr}"), "this operator")),
        }
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType) -> Result<Term, Unsupported> {
        let ty = self.type_of(data_type);
        if matches!(&ty, Type::Other(name) if name == "regconfig") {
            return self.expr(expr);
        }
        if let (Expr::Array(array), Type::Array(element)) = (expr, &ty) {
            if let Some(term) = self.array_as(&array.elem, element)? {
                return Ok(term);
            }
            let items = array.elem.iter().map(|item| {
                let item = self.expr(item)?;
                Ok(self.cast_to(item, element)?.sql)
            });
            let items = items.collect::<Result<Vec<_>, Unsupported>>()?;
            if super::compare::plain_in_json(element) {
                return Ok(Term::new(format!("json_array({})", items.join(", ")), ty));
            }
            return Err(Unsupported::new(expr, format!("an array of {element}")));
        }
        if let Some(record) = self.record(expr, &ty)? {
            return Ok(record);
        }
        if let Some(number) = self.bits(expr, &ty)? {
            return Ok(number);
        }
        let term = self.expr(expr)?;
        let term = self.cast_to(term, &ty)?;
        match self.domain_meant(data_type) {
            Some(domain) => self.of_domain(term, domain),
            None => Ok(term),
        }
    }
}
