//! Values of composite types: made of their fields, taken apart, told apart.

use sqlparser::ast::{Expr, Ident};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_sql::composite::Composite;

use super::calls::arguments;
use super::frame::inner;
use super::select::Item;
use super::{Translator, ident, unsupported};
use crate::record::{field_of, is_record};
use crate::term::Term;

impl Translator<'_, '_> {
    pub(super) fn is_record(&self, ty: &Type) -> bool {
        is_record(self.catalog(), ty)
    }

    /// `row(…)::ty`, if the type is a composite one and the expression makes a row.
    pub(super) fn record(&mut self, expr: &Expr, ty: &Type) -> Result<Option<Term>> {
        let Some(composite) = Composite::of(self.catalog(), ty) else { return Ok(None) };
        let items = match inner(expr) {
            Expr::Tuple(items) => items.clone(),
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("row") => arguments(call)?,
            _ => return Ok(None),
        };
        let types = composite.types();
        if types.len() != items.len() || types.is_empty() {
            return Err(unsupported(&format!("a row of {} fields as {ty}", items.len()), expr));
        }
        let mut values = Vec::with_capacity(items.len());
        for (item, ty) in items.iter().zip(&types) {
            let term = self.value(item, Some(ty))?;
            let term = self.assigned(term, ty)?;
            if term.is_unknown() {
                values.clear();
                break;
            }
            values.push(term.known()?.ok_or_else(|| unsupported("a row made of columns", expr))?);
        }
        if values.is_empty() {
            return Ok(Some(Term::unknown(ty.clone())));
        }
        Term::given(self.catalog(), &Value::Text(composite.of_values(&values)), ty).map(Some)
    }

    /// `(value).field`, as it is written.
    pub(super) fn field_of_record(&self, value: &Term, name: &Ident, written: &Expr) -> Result<Term> {
        if !self.is_record(&value.ty) {
            return Err(unsupported("this field", written));
        }
        let name = ident(name);
        field_of(self.catalog(), value, &name)?.ok_or_else(|| {
            let message = format!("column \"{name}\" not found in data type {}", value.ty);
            Error::new(ErrorKind::InvalidInput, "42703", message)
        })
    }

    /// One record in the place of the columns that are declared, as these.
    pub(super) fn spread_record(&self, items: Vec<Item>, declared: &[(String, Type)]) -> Result<Vec<Item>> {
        let record = match items.as_slice() {
            [only] if declared.iter().all(|(_, ty)| *ty != only.term.ty) => &only.term,
            _ => return Ok(items),
        };
        let types = Composite::of(self.catalog(), &record.ty).map(|composite| composite.types());
        if types.is_none_or(|types| !types.iter().eq(declared.iter().map(|(_, ty)| ty))) {
            return Ok(items);
        }
        let field = |(name, _): &(String, Type)| {
            let term = field_of(self.catalog(), record, name)?;
            Ok::<_, Error>(term.map(|term| Item { name: name.clone(), term }))
        };
        let fields = declared.iter().map(field).collect::<Result<Option<Vec<_>>>>()?;
        Ok(fields.unwrap_or(items))
    }

    /// Refuses to compare records whose fields PostgreSQL compares in ways that are not known here.
    pub(super) fn comparable(&self, ty: &Type) -> Result<()> {
        match Composite::of(self.catalog(), ty) {
            Some(composite) if !composite.is_comparable() => {
                Err(unsupported("a comparison of values of type", ty))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to tell records apart as they are stored, where equal ones may have several texts.
    pub(super) fn told_by_text<'t>(&self, types: impl IntoIterator<Item = &'t Type>) -> Result<()> {
        let loose = |ty: &&Type| {
            Composite::of(self.catalog(), ty).is_some_and(|composite| !composite.is_told_by_text())
        };
        match types.into_iter().find(loose) {
            Some(ty) => Err(unsupported("telling apart values of type", ty)),
            None => Ok(()),
        }
    }
}
