//! Replies from the documents that pipelines answer, as they lie in the server's reply.

use std::fmt::Write;

use bytes::Bytes;
use mongodb::bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, Document};
use truststream_kernel::value::json::push_string;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{Catalog, Format, Media};
use truststream_sql::composite::Composite;
use truststream_sql::printed::record::push_fields;

use crate::average::{average, lasting};
use crate::cast::cast;
use crate::error::unreadable;
use crate::json;
use crate::parts::{Found, Parts, Rows, documents};
use crate::plan::{Out, Shape};
use crate::storage;

/// Writes documents in the wanted format, one after the other.
pub(crate) struct Renderer<'a> {
    catalog: &'a Catalog,
    shape: &'a Shape,
    format: &'a Format,
    out: String,
    rows: u64,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(catalog: &'a Catalog, shape: &'a Shape, format: &'a Format) -> Result<Self> {
        match format.media {
            Media::Json | Media::Object | Media::Csv => {
                Ok(Renderer { catalog, shape, format, out: String::new(), rows: 0 })
            }
            _ => Err(Error::unsupported("this database answers in JSON and CSV only")),
        }
    }

    pub(crate) fn push(&mut self, document: &RawDocument) -> Result<()> {
        self.rows += 1;
        if self.format.media == Media::Csv {
            return self.line(document);
        }
        if self.rows > 1 {
            self.out.push(',');
        }
        self.object(document, self.shape)
    }

    /// The reply, and how many rows it has.
    ///
    /// # Errors
    /// PGRST116 if one row was wanted and there are none or many.
    pub(crate) fn finish(mut self) -> Result<(Bytes, u64)> {
        if self.rows == 0 && self.shape.single_group {
            self.push(&RawDocumentBuf::new())?;
        }
        match self.format.media {
            Media::Csv => {
                // Names stand as they are, and nothing is named where there is no row: as in PostgREST.
                let text = match self.rows {
                    0 => "\n".to_owned(),
                    _ => names(self.shape).join(",") + &self.out,
                };
                Ok((text.into(), self.rows))
            }
            Media::Object => {
                self.format.check_rows(self.rows)?;
                Ok((self.format.stripped(self.out)?.into(), self.rows))
            }
            _ => Ok((self.format.stripped(format!("[{}]", self.out))?.into(), self.rows)),
        }
    }

    /// The one row there is, or its value where it is no row.
    pub(crate) fn single(mut self, document: Option<&RawDocument>, plain: bool) -> Result<(Bytes, u64)> {
        match (document, self.shape.fields.first()) {
            (Some(document), Some(value)) if plain => self.only(document, value)?,
            (Some(document), _) => self.object(document, self.shape)?,
            (None, _) => self.out.push_str("null"),
        }
        Ok((self.format.stripped(self.out)?.into(), u64::from(document.is_some())))
    }

    /// Values that are no rows, as a list.
    pub(crate) fn values(mut self, documents: &[RawDocumentBuf]) -> Result<(Bytes, u64)> {
        self.out.push('[');
        for (at, document) in documents.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            match self.shape.fields.first() {
                Some(value) => self.only(document, value)?,
                None => self.out.push_str("null"),
            }
        }
        self.out.push(']');
        Ok((self.format.stripped(self.out)?.into(), documents.len() as u64))
    }

    /// One part of a document without its name.
    fn only(&mut self, document: &RawDocument, field: &Out) -> Result<()> {
        let found = document.get(key(field)).map_err(unreadable)?;
        self.member(found, field, &mut true)
    }

    fn line(&mut self, document: &RawDocument) -> Result<()> {
        let mut parts = Parts::of(document)?;
        let mut texts = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            let found = parts.take(key(field))?;
            match field {
                Out::Value { .. } | Out::Count { .. } | Out::Average { .. } => {
                    let (value, ty) = self.value(found, field)?;
                    texts.push(value.to_text_as(&ty));
                }
                Out::Embed { .. } => texts.push(self.json(|json| json.member(found, field, &mut true))?),
                Out::Spread { shape, .. } => self.cells(&Rows::of(found, shape)?, shape, &mut texts)?,
            }
        }
        self.out.push('\n');
        push_fields(&mut self.out, &texts);
        Ok(())
    }

    /// What a spread to-many embed makes of its fields, each a cell.
    fn cells(&self, rows: &Rows<'_>, shape: &Shape, texts: &mut Vec<Option<String>>) -> Result<()> {
        for inner in &shape.fields {
            match inner {
                Out::Spread { key, shape } => self.cells(&rows.within(key, shape)?, shape, texts)?,
                _ => texts.push(self.json(|json| json.column(rows, inner))?),
            }
        }
        Ok(())
    }

    /// JSON within a cell; `None` for null.
    fn json(&self, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<Option<String>> {
        let mut nested = Renderer { out: String::new(), rows: 0, ..*self };
        write(&mut nested)?;
        Ok(Some(nested.out).filter(|json| json != "null"))
    }

    fn object(&mut self, document: &RawDocument, shape: &Shape) -> Result<()> {
        self.out.push('{');
        let mut parts = Parts::of(document)?;
        let mut first = true;
        for field in &shape.fields {
            let found = parts.take(key(field))?;
            self.named(found, field, &mut first)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// A member of an object, or several of a spread embed.
    fn named(&mut self, found: Found<'_>, field: &Out, first: &mut bool) -> Result<()> {
        if let Out::Spread { shape, .. } = field {
            return self.spread(&Rows::of(found, shape)?, shape, first);
        }
        self.key(name(field), first);
        self.member(found, field, &mut true)
    }

    fn key(&mut self, name: &str, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(',');
        }
        push_string(&mut self.out, name);
        self.out.push(':');
    }

    /// What a spread to-many embed makes of its fields: arrays, of arrays where one stands within another.
    fn spread(&mut self, rows: &Rows<'_>, shape: &Shape, first: &mut bool) -> Result<()> {
        for inner in &shape.fields {
            if let Out::Spread { key, shape } = inner {
                self.spread(&rows.within(key, shape)?, shape, first)?;
                continue;
            }
            self.key(name(inner), first);
            self.column(rows, inner)?;
        }
        Ok(())
    }

    fn elements(&mut self, rows: &Rows<'_>, field: &Out) -> Result<()> {
        if matches!(rows, Rows::Nowhere) {
            self.out.push_str("null");
            return Ok(());
        }
        self.out.push('[');
        let count = match rows {
            Rows::Nowhere => 0,
            Rows::Of(rows) => rows.len(),
            Rows::Each(groups) => groups.len(),
        };
        for at in 0..count {
            if at > 0 {
                self.out.push(',');
            }
            match rows {
                Rows::Nowhere => {}
                Rows::Of(rows) => self.only(rows[at], field)?,
                Rows::Each(groups) => self.elements(&groups[at], field)?,
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// What a spread to-many embed makes of one of its fields.
    fn column(&mut self, rows: &Rows<'_>, field: &Out) -> Result<()> {
        let start = self.out.len();
        self.elements(rows, field)?;
        // PostgreSQL makes such arrays `jsonb`, where numbers and members have one form.
        let array = jsonb::normalize(&self.out[start..])?;
        self.out.truncate(start);
        self.out.push_str(&array);
        Ok(())
    }

    fn member(&mut self, found: Found<'_>, field: &Out, first: &mut bool) -> Result<()> {
        match field {
            Out::Value { ty, bare: false, cast: None, shown: None, .. }
                if pushed(&mut self.out, found, ty) => {}
            Out::Value { .. } | Out::Count { .. } | Out::Average { .. } => {
                let (value, ty) = self.value(found, field)?;
                match (&value, ty, record(field)) {
                    (Value::Text(text), _, Some(record)) => self.out.push_str(&record.to_json(text)?),
                    (_, ty @ (Type::Float4 | Type::Array(_)), _) => {
                        self.out.push_str(&value.to_json_as(&ty));
                    }
                    _ => value.write_json(&mut self.out),
                }
            }
            Out::Embed { to_one: true, shape, .. } => {
                match documents(found, shape)?.unwrap_or_default().first() {
                    Some(row) => self.object(row, shape)?,
                    None => self.out.push_str("null"),
                }
            }
            Out::Embed { shape, .. } => {
                let Some(rows) = documents(found, shape)? else {
                    self.out.push_str("null");
                    return Ok(());
                };
                self.out.push('[');
                for (at, row) in rows.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.object(row, shape)?;
                }
                self.out.push(']');
            }
            Out::Spread { .. } => self.named(found, field, first)?,
        }
        Ok(())
    }

    fn value(&self, found: Found<'_>, field: &Out) -> Result<(Value, Type)> {
        let found = found.map(Bson::try_from).transpose().map_err(unreadable)?;
        let (found, ty, to) = match field {
            Out::Value { ty, bare, steps, as_text, cast, shown, .. } => {
                let (value, ty) = match read(found.as_ref(), ty, *bare, *as_text)? {
                    (Value::Json(text), _) if !steps.is_empty() => json::within(&text, steps)?,
                    read => read,
                };
                let value = in_session(value, field)?;
                let (value, ty) = match shown.as_ref().filter(|shown| found.is_some() || !shown.spread) {
                    Some(shown) => shown.value(value)?,
                    None => (value, ty),
                };
                (value, ty, cast)
            }
            Out::Count { cast, .. } => {
                let count = found.as_ref().and_then(storage::integer).unwrap_or(0);
                (Value::Int(count), Type::Int8, cast)
            }
            Out::Average { cast, .. } => {
                let parts = match found {
                    Some(Bson::Document(parts)) => parts,
                    _ => Document::new(),
                };
                match parts.contains_key("m") {
                    true => (lasting(&parts)?, Type::Interval, cast),
                    false => (average(&parts)?, Type::Numeric(None), cast),
                }
            }
            Out::Embed { .. } | Out::Spread { .. } => (Value::Null, Type::Jsonb, &None),
        };
        match to {
            None => Ok((found, ty)),
            Some(to) => Ok((cast(self.catalog, found, &ty, to)?, to.clone())),
        }
    }
}

/// Appends a stored value that JSON has as it is; `false` where more has to be made of it.
fn pushed(out: &mut String, found: Found<'_>, ty: &Type) -> bool {
    let integer = |number: i64, out: &mut String| {
        let _ = write!(out, "{number}");
    };
    match (found, ty) {
        (None | Some(RawBsonRef::Null), _) => out.push_str("null"),
        (Some(RawBsonRef::Boolean(value)), Type::Bool) => out.push_str(if value { "true" } else { "false" }),
        (Some(RawBsonRef::Int64(number)), Type::Int2 | Type::Int4 | Type::Int8)
            if storage::is_in_range(number, ty) =>
        {
            integer(number, out);
        }
        (Some(RawBsonRef::Int32(number)), Type::Int2 | Type::Int4 | Type::Int8) => {
            integer(i64::from(number), out);
        }
        (Some(RawBsonRef::String(text)), Type::Text | Type::Varchar(_) | Type::Enum(_)) => {
            push_string(out, text);
        }
        _ => return false,
    }
    true
}

fn read(found: Option<&Bson>, ty: &Type, bare: bool, as_text: bool) -> Result<(Value, Type)> {
    if !bare {
        return Ok((storage::value(found.unwrap_or(&Bson::Null), ty)?, ty.clone()));
    }
    Ok(match (found, as_text) {
        (None, true) | (Some(Bson::Null), true) => (Value::Null, Type::Text),
        (None, false) => (Value::Null, Type::Jsonb),
        (Some(Bson::String(text)), true) => (Value::Text(text.clone()), Type::Text),
        (Some(uuid @ Bson::Binary(_)), true) => (storage::value(uuid, &Type::Uuid)?, Type::Uuid),
        (Some(value), true) => (Value::Text(json::text(value)), Type::Text),
        (Some(value), false) => (Value::Json(json::text(value)), Type::Jsonb),
    })
}

/// A record as the session shows it: moments are in its time zone.
fn in_session(value: Value, field: &Out) -> Result<Value> {
    match (value, field) {
        (Value::Text(text), Out::Value { record: Some(record), .. }) if record.is_of_session() => {
            record.shown(&text).map(Value::Text)
        }
        (value, _) => Ok(value),
    }
}

/// The composite type of what a field shows.
fn record(field: &Out) -> Option<&Composite> {
    match field {
        Out::Value { record, cast: None, .. } => record.as_deref(),
        _ => None,
    }
}

/// The names of a line's cells.
fn names<'s>(shape: &'s Shape) -> Vec<&'s str> {
    let of = |field: &'s Out| match field {
        Out::Spread { shape, .. } => names(shape),
        field => vec![name(field)],
    };
    shape.fields.iter().flat_map(of).collect()
}

fn key(field: &Out) -> &str {
    match field {
        Out::Value { key, .. }
        | Out::Count { key, .. }
        | Out::Average { key, .. }
        | Out::Embed { key, .. }
        | Out::Spread { key, .. } => key,
    }
}

fn name(field: &Out) -> &str {
    match field {
        Out::Value { name, .. }
        | Out::Count { name, .. }
        | Out::Average { name, .. }
        | Out::Embed { name, .. } => name,
        Out::Spread { .. } => "",
    }
}
