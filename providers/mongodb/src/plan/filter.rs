//! Conditions on rows.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{
    Catalog, Comparison, Field, Filter, Is, Operand, Operator, Quantifier, Query, errors,
};

use super::read::indexable;
use super::{Place, Planner};
use crate::contain;
use crate::elements::flattened;
use crate::pattern::Pattern;
use crate::record::{self, is_record};
use crate::represent;
use crate::span;
use crate::term::{Relation, Term, Want, all, any, constant_of, not};

impl Planner<'_> {
    /// The stages that keep the rows that a filter matches; `query` has the embeds that it may name.
    ///
    /// # Errors
    /// 42703 for unknown columns, those of wrong literals.
    pub(super) fn filtered(
        &mut self,
        place: &Place,
        query: &Query,
        filter: &Filter,
    ) -> Result<Vec<Document>> {
        let read = match represent::is_needed(self) {
            true => Some(represent::read(self, place, filter)?),
            false => None,
        };
        let filter = read.as_ref().unwrap_or(filter);
        let parts = match filter {
            Filter::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        // What needs no other collection comes first, in a form that indexes serve where there is one.
        let (mut first, mut stages, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            if let Some(indexed) = self.indexed(place, query, part)? {
                first.push(indexed);
                continue;
            }
            let mut lookups = Vec::new();
            let expr = self.condition_of((place, query), part, Want::True, &mut lookups)?;
            let list = if lookups.is_empty() { &mut first } else { &mut later };
            list.push(doc! { "$expr": expr });
            stages.extend(lookups);
        }
        let matched =
            |parts: Vec<Document>| (!parts.is_empty()).then(|| doc! { "$match": { "$and": parts } });
        let mut all: Vec<Document> = matched(first).into_iter().collect();
        all.extend(stages);
        all.extend(matched(later));
        Ok(all)
    }

    /// A comparison of a column with a literal in the language of `$match`.
    fn indexed(&mut self, place: &Place, query: &Query, filter: &Filter) -> Result<Option<Document>> {
        let Filter::Compare(Comparison { field, operator, quantifier: None, operand }) = filter else {
            return Ok(None);
        };
        if !field.path.is_empty() || query.embed(&field.name).is_some() {
            return Ok(None);
        }
        let of = self.schema.table(&place.table)?;
        let Some(term) = of.column(&field.name).map(|column| place.term(column)) else { return Ok(None) };
        if is_record(&self.schema.catalog, &term.ty) {
            return Ok(None);
        }
        self.access.may_read(of, &place.table, &field.name)?;
        let one = |text: &String| -> Result<Option<(String, Bson)>> {
            let literal = self.operand(&term.ty, text)?;
            let known = indexable(&term.expr, &literal.expr, &term.ty);
            Ok(known.map(|value| (place.sought(of, &field.name), value)))
        };
        Ok(match (operand, relation_of(operator)) {
            (Operand::Text(text), Some(relation)) if relation != Relation::Ne => {
                one(text)?.map(|(name, value)| {
                    let test = Document::from_iter([(relation.word().to_owned(), value)]);
                    Document::from_iter([(name, Bson::Document(test))])
                })
            }
            (Operand::List(texts), _) => {
                listable(&term.ty)?;
                let found = texts.iter().map(one).collect::<Result<Option<Vec<_>>>>()?;
                found.filter(|found| !found.is_empty()).map(|found| {
                    let name = found[0].0.clone();
                    let values: Vec<Bson> = found.into_iter().map(|(_, value)| value).collect();
                    Document::from_iter([(name, Bson::Document(doc! { "$in": values }))])
                })
            }
            _ => None,
        })
    }

    fn condition_of(
        &mut self,
        place: (&Place, &Query),
        filter: &Filter,
        want: Want,
        stages: &mut Vec<Document>,
    ) -> Result<Bson> {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => {
                let made = parts
                    .iter()
                    .map(|part| self.condition_of(place, part, want, stages))
                    .collect::<Result<Vec<_>>>()?;
                let conjunction = matches!(filter, Filter::And(_)) == (want == Want::True);
                Ok(if conjunction { all(made) } else { any(made) })
            }
            Filter::Not(inner) => self.condition_of(place, inner, want.opposite(), stages),
            Filter::Compare(comparison) => self.comparison(place, comparison, want, stages),
        }
    }

    fn comparison(
        &mut self,
        (place, query): (&Place, &Query),
        comparison: &Comparison,
        want: Want,
        stages: &mut Vec<Document>,
    ) -> Result<Bson> {
        let Comparison { field, operator, quantifier, operand } = comparison;
        if let (Field { name, path }, Operand::Is(is)) = (field, operand)
            && path.is_empty()
            && let Some(embed) = query.embed(name)
        {
            let exists = self.embed_exists(place, embed)?;
            stages.extend(exists.stages);
            let absent = (*is == Is::Null) == (want == Want::True);
            return Ok(if absent { not(exists.expr) } else { exists.expr });
        }
        let (term, catalog) = (self.term(place, field, stages)?, &self.schema.catalog);
        match (operand, quantifier) {
            (Operand::Is(is), _) => is_condition(catalog, &term, *is, want),
            _ if is_record(catalog, &term.ty) => Err(anonymous(operator, &term.ty)),
            (Operand::List(texts), _) => {
                listable(&term.ty)?;
                let parts = texts.iter().map(|text| self.compare(&term, &Operator::Eq, text, want));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                Ok(if want == Want::True { any(parts) } else { all(parts) })
            }
            (Operand::Text(text), None) => self.tested((place, field), &term, (operator, text), want),
            (Operand::Text(text), Some(quantifier)) => {
                self.quantified((place, field), &term, (operator, *quantifier, text), want)
            }
        }
    }

    /// A term compared with a literal, by the engine or by what was judged beforehand.
    fn tested(
        &self,
        at: (&Place, &Field),
        term: &Term,
        (operator, text): (&Operator, &str),
        want: Want,
    ) -> Result<Bson> {
        match self.judged(at, term, (operator, text), want)? {
            Some(judged) => Ok(judged),
            None => self.compare(term, operator, text, want),
        }
    }

    fn quantified(
        &self,
        at: (&Place, &Field),
        term: &Term,
        (operator, quantifier, text): (&Operator, Quantifier, &str),
        want: Want,
    ) -> Result<Bson> {
        let Value::Array(elements) = Value::parse(&Type::Array(Box::new(Type::Text)), text)? else {
            return Err(Error::invalid_input("an array was expected"));
        };
        // An operator that the type has not is refused also where no element asks for it.
        let by_pattern =
            matches!(operator, Operator::Like | Operator::Ilike | Operator::Match | Operator::Imatch);
        if by_pattern || term.ty == Type::Json {
            self.tested(at, term, (operator, ""), want)?;
        }
        let parts = elements.iter().map(|element| match element.to_text() {
            Some(text) => self.tested(at, term, (operator, &text), want),
            None => Ok(Bson::Boolean(false)),
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        Ok(if (quantifier == Quantifier::Any) == (want == Want::True) { any(parts) } else { all(parts) })
    }

    /// A term compared with a literal.
    ///
    /// # Errors
    /// 42883 for an operator that the type has not, those of wrong literals.
    fn compare(&self, term: &Term, operator: &Operator, text: &str, want: Want) -> Result<Bson> {
        let catalog = &self.schema.catalog;
        if let Some(relation) = relation_of(operator) {
            if term.ty == Type::Json {
                return Err(no_operator(relation_sign(relation), &term.ty));
            }
            if !matches!(relation, Relation::Eq | Relation::Ne) {
                super::order::orderable(catalog, &term.ty)?;
            }
            let literal = self.operand(&term.ty, text)?;
            return Ok(term.compare(catalog, relation, &literal, want));
        }
        let holds = match operator {
            Operator::IsDistinct => {
                if term.ty == Type::Json {
                    return Err(no_operator("=", &term.ty));
                }
                let literal = self.operand(&term.ty, text)?;
                let differs = not(term.compare(catalog, Relation::Eq, &literal, Want::True));
                return Ok(if want == Want::True { differs } else { not(differs) });
            }
            Operator::In => return self.compare(term, &Operator::Eq, text, want),
            Operator::Like => matched(term, "~~", Pattern::like(text, false)?)?,
            Operator::Ilike => matched(term, "~~*", Pattern::like(text, true)?)?,
            Operator::Match => matched(term, "~", Pattern::plain(text, false))?,
            Operator::Imatch => matched(term, "~*", Pattern::plain(text, true))?,
            Operator::Is => return Err(Error::invalid_input("is takes null, true, false or unknown")),
            _ => self.sets(term, operator, text)?,
        };
        let mut conditions = term.known_not_null();
        conditions.push(if want == Want::True { holds } else { not(holds) });
        Ok(all(conditions))
    }

    /// A literal to compare with: of the type without its bounds, for a comparison rounds nothing.
    fn operand(&self, ty: &Type, text: &str) -> Result<Term> {
        let literal = Term::literal(&self.schema.catalog, text, &unbounded(ty))?;
        Ok(Term { ty: ty.clone(), ..literal })
    }

    /// Operators of arrays, ranges and jsonb.
    fn sets(&self, term: &Term, operator: &Operator, text: &str) -> Result<Bson> {
        let Some(sign) = span::sign(operator) else {
            return Err(Error::internal(format!(
                "an operator that was to be judged beforehand: {operator:?}"
            )));
        };
        let fits = match &term.ty {
            Type::Jsonb => matches!(sign, "@>" | "<@"),
            Type::Array(_) => matches!(sign, "@>" | "<@" | "&&"),
            ty => span::is_range(ty),
        };
        if !fits {
            return Err(no_operator(sign, &term.ty));
        }
        let literal = self.operand(&term.ty, text)?;
        if span::is_range(&term.ty) {
            return Ok(span::holds(&term.expr, sign, &literal.expr));
        }
        let known = constant_of(&literal.expr).unwrap_or(&Bson::Null);
        let elements = || flattened(&term.expr);
        Ok(match (known, sign) {
            (Bson::Array(known), "@>") if term.ty != Type::Jsonb => {
                contain::array_contains(&elements(), &flat(known))
            }
            (Bson::Array(known), "<@") if term.ty != Type::Jsonb => {
                contain::array_contained(&elements(), &flat(known))
            }
            (Bson::Array(known), "&&") => contain::array_overlaps(&elements(), &flat(known)),
            (known, "@>") => contain::json_contains(&term.expr, known),
            (known, _) => contain::json_contained(&term.expr, known),
        })
    }
}

/// The type without length, precision and scale.
fn unbounded(ty: &Type) -> Type {
    match ty {
        Type::Numeric(_) => Type::Numeric(None),
        Type::Varchar(_) => Type::Varchar(None),
        Type::Array(element) => Type::Array(Box::new(unbounded(element))),
        other => other.clone(),
    }
}

/// Refuses a list of what has no lists: they are arrays, and there are no arrays of arrays.
fn listable(ty: &Type) -> Result<()> {
    match ty {
        Type::Json => Err(no_operator("=", ty)),
        Type::Array(_) => {
            let message = format!("could not find array type for data type {ty}");
            Err(Error::new(ErrorKind::InvalidInput, "42704", message))
        }
        _ => Ok(()),
    }
}

/// The elements of an array of any dimensions.
fn flat(elements: &[Bson]) -> Vec<Bson> {
    let inner = |one: &Bson| match one {
        Bson::Array(inner) => flat(inner),
        other => vec![other.clone()],
    };
    elements.iter().flat_map(inner).collect()
}

fn relation_of(operator: &Operator) -> Option<Relation> {
    Some(match operator {
        Operator::Eq => Relation::Eq,
        Operator::Neq => Relation::Ne,
        Operator::Gt => Relation::Gt,
        Operator::Gte => Relation::Ge,
        Operator::Lt => Relation::Lt,
        Operator::Lte => Relation::Le,
        _ => return None,
    })
}

fn relation_sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Eq => "=",
        Relation::Ne => "<>",
        Relation::Gt => ">",
        Relation::Ge => ">=",
        Relation::Lt => "<",
        Relation::Le => "<=",
    }
}

fn matched(term: &Term, sign: &str, pattern: Pattern) -> Result<Bson> {
    if term.ty == Type::Bytes && sign == "~~" {
        return Err(Error::unsupported("this database has no patterns of bytes"));
    }
    if !matches!(term.ty, Type::Text | Type::Varchar(_) | Type::Char(_)) {
        return Err(no_operator(sign, &term.ty));
    }
    // The engine refuses to match what is no text, whatever else is demanded of it.
    Ok(pattern.matches(Bson::Document(doc! { "$ifNull": [term.expr.clone(), ""] })))
}

/// `is null`, `is true` and so on, which is never null itself.
///
/// # Errors
/// 42804 if a truth value is asked of what has none.
pub(crate) fn is_condition(catalog: &Catalog, term: &Term, is: Is, want: Want) -> Result<Bson> {
    let word = match is {
        Is::Null | Is::NotNull if is_record(catalog, &term.ty) => {
            return Ok(record::is_condition(term, is, want));
        }
        Is::Null => return Ok(term.is_null(want)),
        Is::NotNull => return Ok(term.is_null(want.opposite())),
        Is::Unknown => "UNKNOWN",
        Is::True => "TRUE",
        Is::False => "FALSE",
    };
    if term.ty != Type::Bool {
        let message = format!("argument of IS {word} must be type boolean, not type {}", term.ty.sql_name());
        return Err(Error::new(ErrorKind::InvalidInput, "42804", message));
    }
    let holds = match is {
        Is::True => doc! { "$eq": [term.expr.clone(), true] },
        Is::False => doc! { "$eq": [term.expr.clone(), false] },
        _ => return Ok(term.is_null(want)),
    };
    Ok(if want == Want::True { holds.into() } else { not(holds.into()) })
}

/// Why a whole record is compared with no literal: to PostgreSQL the literal is a row of no type, which it does
/// not read.
fn anonymous(operator: &Operator, ty: &Type) -> Error {
    match operator {
        Operator::Like => no_operator("~~", ty),
        Operator::Ilike => no_operator("~~*", ty),
        Operator::Match => no_operator("~", ty),
        Operator::Imatch => no_operator("~*", ty),
        _ => Error::unsupported("input of anonymous composite types is not implemented"),
    }
}

pub(crate) fn no_operator(sign: &str, ty: &Type) -> Error {
    no_operator_between(ty, sign, "unknown")
}

/// Why there is no operator of a type with a literal of this one.
pub(super) fn no_operator_between(ty: &Type, sign: &str, right: &str) -> Error {
    // PostgreSQL names operators by types without their lengths.
    let name = ty.sql_name();
    let left = name.split('(').next().unwrap_or_default();
    errors::no_operator(left, sign, right)
}
