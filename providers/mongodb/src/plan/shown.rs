//! What groups are made of where that is what a reply shows, not what rows hold.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result, Type};

use super::read::{Out, Part, Shape, What};
use super::{Place, Planner, step_into, text_of};
use crate::sql::Translator;
use crate::term::{Term, constant, is_json, refusal};

impl Planner<'_> {
    /// What a part is grouped by, where that is not what it takes of the row: what is shown of it, if the request
    /// names it or another row has it, and what an embed shows.
    pub(super) fn key_of(&mut self, place: &Place, part: &Part) -> Result<Option<Bson>> {
        let (term, cast, as_text) = match &part.what {
            What::Value { term, cast, as_text, .. } => (term, cast, as_text),
            What::Embed { key, shape, .. } => return self.rows_shown(format!("${key}"), shape).map(Some),
            What::Count { .. } => return Ok(None),
        };
        let own = part.origin.as_ref().is_some_and(|origin| origin.named) && part.shown.is_none();
        if own && let Some(column) = self.schema.table(&place.table)?.column(&part.name) {
            return Ok(Some(place.term(column).comparable(&self.schema.catalog)));
        }
        let text = as_text.then(|| Term::new(text_of(&term.expr), Type::Text));
        let named = part.origin.as_ref().is_none_or(|origin| origin.named) && part.shown.is_none();
        let Some(to) = cast.as_ref().filter(|_| named) else { return Ok(text.map(|text| text.expr)) };
        self.cast_shown(text.unwrap_or_else(|| term.as_ref().clone()), to)
    }

    /// What a cast shows of a value; `None` where that differs as the values do.
    fn cast_shown(&mut self, term: Term, to: &Type) -> Result<Option<Bson>> {
        if matches!(to, Type::Text | Type::Varchar(None)) {
            if let (Type::Json, Some(text)) = (&term.ty, &term.text) {
                return Ok(Some(text.clone()));
            }
            // Equal ones may be written otherwise.
            match term.ty {
                Type::Numeric(_) => return Ok(Some(doc! { "$toString": term.expr }.into())),
                Type::Interval => return Ok(Some(term.expr)),
                _ => {}
            }
        }
        match Translator::cast_of(self, term, to) {
            Ok(made) => Ok(Some(made.comparable(&self.schema.catalog))),
            // Others are equal when their texts are.
            Err(error) if error.kind() == ErrorKind::Unsupported && *to == Type::Text => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Related rows as the reply shows them, of which PostgreSQL compares the JSON.
    fn rows_shown(&mut self, rows: String, shape: &Shape) -> Result<Bson> {
        let row = self.variable();
        let mut shown = Document::new();
        for (at, out) in shape.fields.iter().enumerate() {
            let by = self.out_shown(&format!("$${row}"), out)?;
            shown.insert(format!("k{at}"), doc! { "$ifNull": [by, Bson::Null] });
        }
        Ok(doc! { "$map": { "input": rows, "as": row, "in": shown } }.into())
    }

    fn out_shown(&mut self, row: &str, out: &Out) -> Result<Bson> {
        match out {
            Out::Embed { key, shape, .. } | Out::Spread { key, shape } => {
                self.rows_shown(format!("{row}.{key}"), shape)
            }
            Out::Count { key, cast, .. } => {
                self.value_shown(Term::new(format!("{row}.{key}"), Type::Int8), false, cast.as_ref())
            }
            Out::Average { cast: Some(_), .. } => {
                Err(Error::unsupported("this database has no groups by casts of an embed's averages"))
            }
            Out::Average { key, .. } => {
                let sum = |part: &str| format!("{row}.{key}.{part}");
                let none = doc! { "$lte": [{ "$ifNull": [sum("n"), constant(0_i64)] }, constant(0_i64)] };
                let lasting = doc! { "$gt": [sum("m"), Bson::Null] };
                let refused = refusal("groups by an embed's averages of intervals");
                let mean = doc! { "$divide": [sum("s"), sum("n")] };
                Ok(doc! { "$cond": [none, Bson::Null, { "$cond": [lasting, refused, mean] }] }.into())
            }
            Out::Value { shown: Some(_), .. } => {
                Err(Error::unsupported("this database has no groups by an embed's values that a cast shows"))
            }
            Out::Value { key, ty, bare, steps, as_text, cast, .. } => {
                let path = format!("{row}.{key}");
                let path = if is_json(ty) && !bare { format!("{path}.v") } else { path };
                let stepped =
                    steps.iter().fold(Bson::from(path), |json, step| step_into(&json, &step.key, ty));
                self.value_shown(Term::new(stepped, ty.clone()), *as_text, cast.as_ref())
            }
        }
    }

    fn value_shown(&mut self, term: Term, as_text: bool, cast: Option<&Type>) -> Result<Bson> {
        let term = if as_text { Term::new(text_of(&term.expr), Type::Text) } else { term };
        let raw = term.expr.clone();
        match cast {
            Some(to) => Ok(self.cast_shown(term, to)?.unwrap_or(raw)),
            None => Ok(raw),
        }
    }
}
