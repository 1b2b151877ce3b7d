//! Elements of arrays, and texts taken apart.

use mongodb::bson::{Bson, doc};
use sqlparser::ast::{AccessExpr, Expr, Subscript, Value as Literal};
use truststream_kernel::{Result, Type};

use super::{Translator, call, unsupported};
use crate::term::{Term, Want, constant, constant_of};

impl Translator<'_, '_> {
    /// `array[n]`: null where there is no such element.
    pub(super) fn element(&mut self, root: &Expr, chain: &[AccessExpr]) -> Result<Term> {
        let array = self.value(root, None)?;
        let at = match chain {
            [AccessExpr::Subscript(Subscript::Index { index: Expr::Value(value) })] => match &value.value {
                Literal::Number(text, _) => text.parse::<i32>().ok().filter(|at| *at >= 1),
                _ => None,
            },
            _ => None,
        };
        let (Some(at), Type::Array(inner)) = (at, &array.ty) else {
            return Err(unsupported("this element", root));
        };
        if matches!(inner.as_ref(), Type::Json | Type::Jsonb) {
            return Err(unsupported("an element of JSON", root));
        }
        let elements = call("$ifNull", vec![array.expr, Bson::Array(Vec::new())]);
        let found = call("$arrayElemAt", vec![elements, Bson::Int32(at - 1)]);
        // An array of arrays has no elements of one subscript.
        let plain = doc! { "$let": { "vars": { "e": found }, "in": {
            "$cond": [{ "$isArray": ["$$e"] }, Bson::Null, { "$ifNull": ["$$e", Bson::Null] }],
        } } };
        Ok(Term::new(plain, inner.as_ref().clone()))
    }

    /// `string_to_array(text, ',')`: no text has no parts, and a separator that is empty or not known has
    /// rules of its own.
    pub(super) fn split(&mut self, text: &Expr, by: &Expr) -> Result<Term> {
        let (text, separator) = (self.text(text)?, self.text(by)?);
        let known = constant_of(&separator.expr).and_then(Bson::as_str).filter(|known| !known.is_empty());
        if known.is_none() {
            return Err(unsupported("a separator that is not known beforehand", by));
        }
        let parts = doc! { "$cond": [
            { "$eq": [text.expr.clone(), ""] },
            Bson::Array(Vec::new()),
            { "$split": [text.expr.clone(), separator.expr] },
        ] };
        let made = call("$cond", vec![text.is_null(Want::True), Bson::Null, parts.into()]);
        Ok(Term::new(made, Type::Array(Box::new(Type::Text))))
    }

    /// `storage.foldername(path)`: the folders above a file.
    pub(super) fn folders(&mut self, path: &Expr) -> Result<Term> {
        let text = self.text(path)?;
        let above = doc! { "$let": { "vars": { "p": { "$split": [text.expr.clone(), "/"] } }, "in": {
            "$cond": [
                { "$gt": [{ "$size": "$$p" }, 1] },
                { "$slice": ["$$p", 0, { "$subtract": [{ "$size": "$$p" }, 1] }] },
                Bson::Array(Vec::new()),
            ],
        } } };
        let made = call("$cond", vec![text.is_null(Want::True), Bson::Null, above.into()]);
        Ok(Term::new(made, Type::Array(Box::new(Type::Text))))
    }

    /// `storage.filename(path)`: what is behind the last `/`.
    pub(super) fn file_name(&mut self, path: &Expr) -> Result<Term> {
        let text = self.text(path)?;
        let last =
            call("$arrayElemAt", vec![call("$split", vec![text.expr.clone(), "/".into()]), Bson::Int32(-1)]);
        Ok(Term::new(call("$cond", vec![text.is_null(Want::True), Bson::Null, last]), Type::Text))
    }

    /// `trim(text)`: without the spaces around, which are all that PostgreSQL takes away.
    pub(super) fn trimmed(&mut self, text: &Expr) -> Result<Term> {
        let text = self.text(text)?;
        let trimmed = doc! { "$trim": { "input": text.expr, "chars": constant(" ") } };
        Ok(Term::new(trimmed, Type::Text))
    }
}
