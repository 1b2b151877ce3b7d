//! Aggregates and window functions.

use sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, OrderByExpr, WindowSpec, WindowType,
};
use truststream_kernel::Type;

use super::cast::{is_float, is_integer, is_text};
use super::translate::Translator;
use super::{Term, TermType, Unsupported};
use crate::schema::ident;

/// Functions that make one value of many rows.
pub(super) const AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "array_agg",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
    "string_agg",
    "bool_and",
    "bool_or",
    "every",
];

/// Functions that only stand over a window.
const WINDOW: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// What stands within and behind the parentheses of an aggregate.
struct Call {
    distinct: bool,
    order: String,
    rest: String,
    windowed: bool,
}

impl Call {
    fn of(&self, name: &str, arguments: &str) -> String {
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        format!("{name}({distinct}{arguments}{}){}", self.order, self.rest)
    }
}

/// Whether a name is that of an aggregate or of a window function.
pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name) || WINDOW.contains(&name)
}

impl Translator<'_> {
    pub(super) fn aggregate(&mut self, function: &Function, name: &str) -> Result<Term, Unsupported> {
        let FunctionArguments::List(list) = &function.args else {
            return Err(Unsupported::new(function, "these arguments"));
        };
        let call = self.around(function, list)?;
        if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice()
            && name == "count"
        {
            return Ok(Term::new(call.of("count", "*"), Type::Int8));
        }
        let mut terms = Vec::new();
        let mut rows = false;
        for argument in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
                return Err(Unsupported::new(argument, "this argument"));
            };
            let row = self.row(expr);
            rows |= row.is_some();
            let term = row.map_or_else(|| self.expr(expr), Ok)?;
            terms.push(self.settled(term)?);
        }
        if WINDOW.contains(&name) {
            return self.window_function(function, name, &terms, &call);
        }
        let exact = matches!(name, "sum" | "avg");
        let found = match terms.as_slice() {
            [term] if exact => self.total(name, term, &call)?,
            [term] => self.of_one(name, term, rows, &call)?,
            [term, other] => self.of_two(name, term, other, &call)?,
            _ => None,
        };
        found.ok_or_else(|| Unsupported::new(function, "this aggregate runs on PostgreSQL only"))
    }

    fn around(&mut self, function: &Function, list: &FunctionArgumentList) -> Result<Call, Unsupported> {
        if !function.within_group.is_empty() || function.null_treatment.is_some() {
            return Err(Unsupported::new(function, "this form of an aggregate"));
        }
        let mut order = String::new();
        for clause in &list.clauses {
            let FunctionArgumentClause::OrderBy(terms) = clause else {
                return Err(Unsupported::new(function, "this form of an aggregate"));
            };
            order = format!(" ORDER BY {}", self.order_terms(terms)?);
        }
        let mut rest = String::new();
        if let Some(condition) = &function.filter {
            rest.push_str(&format!(" FILTER (WHERE {})", self.condition(condition)?));
        }
        match &function.over {
            None => {}
            Some(WindowType::WindowSpec(spec)) => rest.push_str(&format!(" OVER ({})", self.window(spec)?)),
            Some(WindowType::NamedWindow(name)) => {
                let name = ident(name);
                let spec = self.windows.iter().rev().find(|(window, _)| *window == name);
                let (_, spec) = spec.ok_or_else(|| Unsupported::new(&name, "there is no such window"))?;
                rest.push_str(&format!(" OVER ({spec})"));
            }
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        Ok(Call { distinct, order, rest, windowed: function.over.is_some() })
    }

    fn order_terms(&mut self, terms: &[OrderByExpr]) -> Result<String, Unsupported> {
        let terms = terms.iter().map(|term| self.order(&term.expr, &term.options));
        Ok(terms.collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// What stands between the parentheses of `over (…)`.
    pub(super) fn window(&mut self, spec: &WindowSpec) -> Result<String, Unsupported> {
        let mut parts = Vec::new();
        if let Some(name) = &spec.window_name {
            return Err(Unsupported::new(name, "a window made of another one"));
        }
        if !spec.partition_by.is_empty() {
            let keys = spec.partition_by.iter().map(|key| Ok(self.expr(key)?.sql));
            let keys = keys.collect::<Result<Vec<_>, Unsupported>>()?;
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !spec.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.order_terms(&spec.order_by)?));
        }
        if let Some(frame) = &spec.window_frame {
            // Bounds are numbers or words, which both engines write alike.
            let end = frame.end_bound.as_ref();
            parts.push(match end {
                Some(end) => format!("{} BETWEEN {} AND {end}", frame.units, frame.start_bound),
                None => format!("{} {}", frame.units, frame.start_bound),
            });
        }
        Ok(parts.join(" "))
    }

    fn window_function(
        &mut self,
        function: &Function,
        name: &str,
        terms: &[Term],
        call: &Call,
    ) -> Result<Term, Unsupported> {
        if !call.windowed {
            return Err(Unsupported::new(function, "window function requires an OVER clause"));
        }
        let ty = match name {
            "row_number" | "rank" | "dense_rank" => Type::Int8,
            "ntile" => Type::Int4,
            "percent_rank" | "cume_dist" => Type::Float8,
            _ => terms.first().and_then(Term::known).cloned().unwrap_or(Type::Text),
        };
        let arguments: Vec<_> = terms.iter().map(|term| term.sql.as_str()).collect();
        Ok(Term::new(call.of(name, &arguments.join(", ")), ty))
    }

    fn total(&self, name: &str, term: &Term, call: &Call) -> Result<Option<Term>, Unsupported> {
        let Some(ty) = term.known() else { return Ok(None) };
        let native = match ty {
            Type::Float4 | Type::Float8 if name == "avg" => Type::Float8,
            ty if is_float(ty) => ty.clone(),
            Type::Int2 | Type::Int4 if name == "sum" => Type::Int8,
            ty if is_integer(ty) || matches!(ty, Type::Numeric(_)) => {
                if call.windowed {
                    return Err(Unsupported::new(&term.sql, format!("an exact {name} over a window")));
                }
                let function = format!("ts_{name}");
                return Ok(Some(Term::new(call.of(&function, &term.sql), Type::Numeric(None))));
            }
            _ => return Ok(None),
        };
        Ok(Some(Term::new(call.of(name, &term.sql), native)))
    }

    fn of_one(&self, name: &str, term: &Term, row: bool, call: &Call) -> Result<Option<Term>, Unsupported> {
        Ok(match name {
            "count" => Some(Term::new(call.of("count", &term.sql), Type::Int8)),
            "min" | "max" => {
                let highest = self.extremum(name, term)?;
                Some(Term { sql: call.of(name, &highest), ty: term.ty.clone() })
            }
            "bool_and" | "every" | "bool_or" if term.known() == Some(&Type::Bool) => {
                let function = if name == "bool_or" { "max" } else { "min" };
                Some(Term::new(call.of(function, &term.sql), Type::Bool))
            }
            "array_agg" => {
                let element = term.known().cloned().unwrap_or(Type::Text);
                let all = call.of("json_group_array", &self.as_json(term));
                Some(Term::new(format!("nullif({all}, '[]')"), Type::Array(Box::new(element))))
            }
            "json_agg" => {
                let separator = if row { "', ' || char(10) || ' '" } else { "', '" };
                let texts = format!("{}, {separator}", self.json_text(term));
                Some(Term::new(format!("('[' || {} || ']')", call.of("group_concat", &texts)), Type::Json))
            }
            "jsonb_agg" => {
                let all = call.of("json_group_array", &self.as_json(term));
                let sql = format!("ts_cast(nullif({all}, '[]'), 'json', 'jsonb')");
                Some(Term::new(sql, Type::Jsonb))
            }
            _ => None,
        })
    }

    fn of_two(&self, name: &str, one: &Term, other: &Term, call: &Call) -> Result<Option<Term>, Unsupported> {
        Ok(match name {
            "string_agg" if one.known().is_some_and(is_text) => {
                let separator = self.coerced(other.clone(), &Type::Text)?;
                if call.distinct {
                    return Err(Unsupported::new(&one.sql, "string_agg of distinct texts"));
                }
                Some(Term::new(
                    call.of("group_concat", &format!("{}, {}", one.sql, separator.sql)),
                    Type::Text,
                ))
            }
            "jsonb_object_agg" => {
                let key = self.as_text(one)?;
                let all = call.of("json_group_object", &format!("{}, {}", key.sql, self.as_json(other)));
                Some(Term::new(format!("ts_cast(nullif({all}, '{{}}'), 'json', 'jsonb')"), Type::Jsonb))
            }
            "json_object_agg" => {
                let key = self.as_text(one)?;
                let pair = format!("json_quote({}) || ' : ' || {}, ', '", key.sql, self.json_text(other));
                let all = call.of("group_concat", &pair);
                Some(Term::new(format!("('{{ ' || {all} || ' }}')"), Type::Json))
            }
            _ => None,
        })
    }

    fn extremum(&self, name: &str, term: &Term) -> Result<String, Unsupported> {
        let collation = match term.known() {
            Some(Type::Numeric(_)) => " COLLATE DECIMAL",
            Some(ty) if is_integer(ty) || is_float(ty) || is_text(ty) => "",
            Some(Type::Timestamptz | Type::Timestamp | Type::Date | Type::Time) => "",
            _ => return Err(Unsupported::new(&term.sql, format!("{name} of this type"))),
        };
        Ok(format!("{}{collation}", term.sql))
    }

    /// The value as an argument of SQLite's JSON functions.
    pub(super) fn as_json(&self, term: &Term) -> String {
        match &term.ty {
            TermType::Known(ty) => {
                let record = self.record_json(&term.sql, ty);
                record.unwrap_or_else(|| super::documents::as_json(&term.sql, ty))
            }
            _ => term.sql.clone(),
        }
    }

    /// The value as a text of JSON.
    pub(super) fn json_text(&self, term: &Term) -> String {
        format!("json_quote({})", self.as_json(term))
    }
}
