//! Conditions: true and false told apart, null being neither.

use mongodb::bson::Bson;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use truststream_kernel::value::range::element;
use truststream_kernel::{Result, Type, Value};
use truststream_services::database::Is;
use truststream_sql::pattern::compile;

use super::{Translator, call, unsupported};
use crate::judge::Asked;
use crate::pattern::{Pattern, is_plain};
use crate::plan::is_condition;
use crate::record::sortable;
use crate::span;
use crate::term::{Relation, Term, Want, all, any, constant_of, not};

impl Translator<'_, '_> {
    /// An expression that holds exactly where the condition has the wanted outcome.
    pub(super) fn truth(&mut self, expr: &Expr, want: Want) -> Result<Bson> {
        match expr {
            Expr::Nested(inner) => self.truth(inner, want),
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                let sides = vec![self.truth(left, want)?, self.truth(right, want)?];
                let conjunction = matches!(op, BinaryOperator::And) == (want == Want::True);
                Ok(if conjunction { all(sides) } else { any(sides) })
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.truth(expr, want.opposite()),
            Expr::IsNull(inner) => self.is(inner, Is::Null, want),
            Expr::IsNotNull(inner) => self.is(inner, Is::NotNull, want),
            Expr::IsTrue(inner) => self.is(inner, Is::True, want),
            Expr::IsNotTrue(inner) => self.is(inner, Is::True, want.opposite()),
            Expr::IsFalse(inner) => self.is(inner, Is::False, want),
            Expr::IsNotFalse(inner) => self.is(inner, Is::False, want.opposite()),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, right, want),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(left, right, want.opposite()),
            Expr::InList { expr, list, negated } => {
                let want = if *negated { want.opposite() } else { want };
                let parts = list.iter().map(|one| self.compared(expr, Relation::Eq, one, want));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                Ok(if want == Want::True { any(parts) } else { all(parts) })
            }
            Expr::Between { expr, negated, low, high } => {
                let want = if *negated { want.opposite() } else { want };
                let parts = vec![
                    self.compared(expr, Relation::Ge, low, want)?,
                    self.compared(expr, Relation::Le, high, want)?,
                ];
                Ok(if want == Want::True { all(parts) } else { any(parts) })
            }
            Expr::Exists { subquery, negated } => {
                let exists = self.exists(subquery)?;
                Ok(if *negated == (want == Want::True) { not(exists) } else { exists })
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let want = if *negated { want.opposite() } else { want };
                self.in_query(expr, subquery, want)
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => self.any_of(left, right, want),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.pattern((expr, pattern), false, if *negated { want.opposite() } else { want })
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.pattern((expr, pattern), true, if *negated { want.opposite() } else { want })
            }
            Expr::BinaryOp { left, op, right } if let Some((insensitive, negated)) = matching(op) => {
                self.expression((left, right), insensitive, if negated { want.opposite() } else { want })
            }
            Expr::BinaryOp { left, op, right } if let Some(relation) = relation(op) => {
                self.compared(left, relation, right, want)
            }
            Expr::BinaryOp { left, op, right } if let Some(sign) = range_sign(op) => {
                self.ranged(left, sign, right, want)
            }
            _ => {
                let term = self.value(expr, Some(&Type::Bool))?;
                if term.ty != Type::Bool {
                    return Err(unsupported("a condition that is no truth value", expr));
                }
                let wanted = want == Want::True;
                Ok(match constant_of(&term.expr) {
                    Some(known) => Bson::Boolean(*known == Bson::Boolean(wanted)),
                    None => call("$eq", vec![term.expr, wanted.into()]),
                })
            }
        }
    }

    fn is(&mut self, inner: &Expr, is: Is, want: Want) -> Result<Bson> {
        if !matches!(is, Is::Null | Is::NotNull) {
            let holds = self.truth(inner, if is == Is::True { Want::True } else { Want::False })?;
            return Ok(if want == Want::True { holds } else { not(holds) });
        }
        let term = self.value(inner, None)?;
        is_condition(self.catalog(), &term, is, want)
    }

    fn distinct(&mut self, left: &Expr, right: &Expr, want: Want) -> Result<Bson> {
        let (left, right) = self.pair(left, right)?;
        let equal = left.compare(&self.planner.schema.catalog, Relation::Eq, &right, Want::True);
        let both_null = all(vec![left.is_null(Want::True), right.is_null(Want::True)]);
        let same = any(vec![equal, both_null]);
        Ok(if want == Want::True { not(same) } else { same })
    }

    fn compared(&mut self, left: &Expr, relation: Relation, right: &Expr, want: Want) -> Result<Bson> {
        let (left, right) = self.alike(left, right)?;
        if matches!(relation, Relation::Eq | Relation::Ne) {
            self.comparable(&left.ty)?;
        } else {
            crate::plan::orderable(self.catalog(), &left.ty)?;
            if self.is_record(&left.ty) {
                // Which comes first is asked of what they are ordered by.
                let key = |record: &Term| Ok(Term::new(sortable(self.catalog(), record)?, Type::Text));
                let (left, right): (Result<Term>, Result<Term>) = (key(&left), key(&right));
                return Ok(left?.compare(self.catalog(), relation, &right?, want));
            }
        }
        if let (Some(left), Some(right)) = (constant_of(&left.expr), constant_of(&right.expr))
            && *left != Bson::Null
            && *right != Bson::Null
            && matches!(relation, Relation::Eq | Relation::Ne)
            && !matches!(left, Bson::Document(_))
            && std::mem::discriminant(left) == std::mem::discriminant(right)
        {
            let holds = (left == right) == (relation == Relation::Eq);
            return Ok(Bson::Boolean(holds == (want == Want::True)));
        }
        Ok(left.compare(&self.planner.schema.catalog, relation, &right, want))
    }

    /// Two operands: a literal takes the type of the other side.
    fn sides(&mut self, left: &Expr, right: &Expr) -> Result<(Term, Term)> {
        if super::value::untyped(left) {
            let right = self.value(right, None)?;
            return Ok((self.value(left, Some(&right.ty))?, right));
        }
        let left = self.value(left, None)?;
        let right = self.value(right, Some(&left.ty))?;
        Ok((left, right))
    }

    /// Two operands of one type that can be told apart.
    fn pair(&mut self, left: &Expr, right: &Expr) -> Result<(Term, Term)> {
        let (left, right) = self.alike(left, right)?;
        self.comparable(&left.ty)?;
        Ok((left, right))
    }

    /// Two operands of one type.
    fn alike(&mut self, left: &Expr, right: &Expr) -> Result<(Term, Term)> {
        let (left, right) = self.sides(left, right)?;
        let foreign = matches!(left.ty, Type::Other(_)) && left.ty != right.ty;
        if foreign || super::value::family(&left.ty) != super::value::family(&right.ty) {
            let message = format!("a comparison of {} and {}", left.ty.sql_name(), right.ty.sql_name());
            return Err(unsupported(&message, right.expr));
        }
        Ok((left, right))
    }

    /// `nullif(left, right)`
    pub(super) fn null_if(&mut self, left: &Expr, right: &Expr) -> Result<Term> {
        let (left, right) = self.pair(left, right)?;
        if left.is_unknown() {
            return Ok(left);
        }
        if super::value::family(&left.ty) == super::value::Family::Json || self.is_record(&left.ty) {
            return Err(unsupported("nullif of JSON or records", right.expr));
        }
        if let (Some(one), Some(other)) = (constant_of(&left.expr), constant_of(&right.expr)) {
            return if one == other { Term::value(&Value::Null, &left.ty) } else { Ok(left) };
        }
        let equal = left.compare(&self.planner.schema.catalog, Relation::Eq, &right, Want::True);
        Ok(Term::new(call("$cond", vec![equal, Bson::Null, left.expr]), left.ty))
    }

    /// Operators of ranges; `@>` and `<@` take a value for the range that has it alone.
    fn ranged(&mut self, left: &Expr, sign: &str, right: &Expr, want: Want) -> Result<Bson> {
        let (left, right) = self.sides(left, right)?;
        let lone = |term: &Term, range: &Type| {
            element(range).filter(|of| super::value::family(of) == super::value::family(&term.ty))
        };
        let mut conditions = left.known_not_null();
        conditions.extend(right.known_not_null());
        let (one, other) = if left.ty == right.ty && span::is_range(&left.ty) {
            (left.expr, right.expr)
        } else if sign == "@>" && lone(&right, &left.ty).is_some() {
            (left.expr, span::of_one(&right.expr))
        } else if sign == "<@" && lone(&left, &right.ty).is_some() {
            (span::of_one(&left.expr), right.expr)
        } else {
            let message = format!("{} {sign} {}", left.ty.sql_name(), right.ty.sql_name());
            return Err(unsupported("this operator", message));
        };
        let holds = span::holds(&one, sign, &other);
        conditions.push(if want == Want::True { holds } else { not(holds) });
        Ok(all(conditions))
    }

    fn any_of(&mut self, left: &Expr, right: &Expr, want: Want) -> Result<Bson> {
        let array = self.value(right, None)?;
        let Type::Array(element) = &array.ty else {
            return Err(unsupported("any of what is no array", right));
        };
        let left = self.value(left, Some(element))?;
        if super::value::family(&left.ty) != super::value::family(element) {
            return Err(unsupported("a comparison of two types", right));
        }
        let elements = call("$ifNull", vec![array.expr.clone(), Bson::Array(Vec::new())]);
        let within = call("$in", vec![left.expr.clone(), elements.clone()]);
        if want == Want::True {
            return Ok(all(vec![left.is_null(Want::False), within]));
        }
        let null = call("$in", vec![Bson::Null, elements.clone()]);
        let empty = call("$eq", vec![elements, Bson::Array(Vec::new())]);
        let differs = all(vec![left.is_null(Want::False), not(any(vec![within, null]))]);
        Ok(all(vec![array.is_null(Want::False), any(vec![empty, differs])]))
    }

    fn pattern(&mut self, sides: (&Expr, &Expr), insensitive: bool, want: Want) -> Result<Bson> {
        Ok(match self.text_and_pattern(sides)? {
            Some((term, text)) => holds(&term, &Pattern::like(&text, insensitive)?, want),
            None => Bson::Boolean(true),
        })
    }

    /// `~` and `~*`: by the engine where it is sure to agree, of a text at hand in process, and where rows are
    /// judged in process as well ([`Asked`]).
    fn expression(&mut self, (expr, pattern): (&Expr, &Expr), insensitive: bool, want: Want) -> Result<Bson> {
        let Some((term, text)) = self.text_and_pattern((expr, pattern))? else {
            return Ok(Bson::Boolean(true));
        };
        let regex = compile(&text, insensitive)?;
        if term.is_unknown() {
            return Ok(Bson::Boolean(true));
        }
        match constant_of(&term.expr) {
            Some(Bson::String(known)) => {
                return Ok(Bson::Boolean(regex.is_match(known) == (want == Want::True)));
            }
            Some(_) => return Ok(Bson::Boolean(false)),
            None => {}
        }
        if is_plain(&text) {
            return Ok(holds(&term, &Pattern::plain(&text, insensitive), want));
        }
        let field = self.planner.temporary();
        let alone = self.frames.len() == 1;
        match self.planner.asked.as_mut().filter(|_| alone) {
            Some(asked) => {
                let answer = Bson::from(format!("${field}"));
                asked.push(Asked { field, input: term.expr, regex });
                Ok(call("$eq", vec![answer, (want == Want::True).into()]))
            }
            None => {
                Err(unsupported("such regular expressions other than in checks and of variables", pattern))
            }
        }
    }

    /// A text and the pattern that it is to match; nothing where one is not known before a function is called.
    fn text_and_pattern(&mut self, (expr, pattern): (&Expr, &Expr)) -> Result<Option<(Term, String)>> {
        let term = self.value(expr, Some(&Type::Text))?;
        let known = self.value(pattern, Some(&Type::Text))?;
        if known.is_unknown() {
            return Ok(None);
        }
        let Some(Bson::String(text)) = constant_of(&known.expr) else {
            return Err(unsupported("a pattern that is not known beforehand", pattern));
        };
        if super::value::family(&term.ty) != super::value::family(&Type::Text) {
            return Err(unsupported("a pattern on what is no text", expr));
        }
        Ok(Some((term, text.clone())))
    }
}

/// Whether a text matches.
fn holds(text: &Term, pattern: &Pattern, want: Want) -> Bson {
    let matches = pattern.matches(call("$ifNull", vec![text.expr.clone(), "".into()]));
    let mut conditions = text.known_not_null();
    conditions.push(if want == Want::True { matches } else { not(matches) });
    all(conditions)
}

/// Whether an operator of regular expressions takes both cases for the same, and whether it is negated.
fn matching(op: &BinaryOperator) -> Option<(bool, bool)> {
    Some(match op {
        BinaryOperator::PGRegexMatch => (false, false),
        BinaryOperator::PGRegexIMatch => (true, false),
        BinaryOperator::PGRegexNotMatch => (false, true),
        BinaryOperator::PGRegexNotIMatch => (true, true),
        _ => return None,
    })
}

fn range_sign(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::AtArrow => "@>",
        BinaryOperator::ArrowAt => "<@",
        BinaryOperator::PGOverlap => "&&",
        BinaryOperator::PGBitwiseShiftLeft => "<<",
        BinaryOperator::PGBitwiseShiftRight => ">>",
        _ => return None,
    })
}

fn relation(op: &BinaryOperator) -> Option<Relation> {
    Some(match op {
        BinaryOperator::Eq => Relation::Eq,
        BinaryOperator::NotEq => Relation::Ne,
        BinaryOperator::Gt => Relation::Gt,
        BinaryOperator::GtEq => Relation::Ge,
        BinaryOperator::Lt => Relation::Lt,
        BinaryOperator::LtEq => Relation::Le,
        _ => return None,
    })
}
