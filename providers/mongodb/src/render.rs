//! Replies from the documents that pipelines answer.

use bytes::Bytes;
use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::value::json::push_string;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Catalog, Format, Media};

use crate::average::average;
use crate::cast::cast;
use crate::json;
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

    pub(crate) fn push(&mut self, document: &Document) -> Result<()> {
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
            self.push(&Document::new())?;
        }
        match self.format.media {
            Media::Csv => {
                let mut text = String::new();
                if self.rows > 0 {
                    let names: Vec<Option<String>> =
                        self.shape.fields.iter().map(|field| Some(name(field).to_owned())).collect();
                    push_line(&mut text, names);
                    text.push_str(&self.out);
                }
                Ok((text.into(), self.rows))
            }
            Media::Object if self.rows != 1 => {
                let message = "Cannot coerce the result to a single JSON object";
                Err(Error::new(ErrorKind::InvalidInput, "PGRST116", message)
                    .with_details(format!("The result contains {} rows", self.rows)))
            }
            Media::Object => Ok((self.out.into(), self.rows)),
            _ => Ok((format!("[{}]", self.out).into(), self.rows)),
        }
    }

    /// The one row there is, or its value where it is no row.
    pub(crate) fn single(mut self, document: Option<&Document>, plain: bool) -> Result<(Bytes, u64)> {
        match (document, self.shape.fields.first()) {
            (Some(document), Some(value)) if plain => self.member(document, value, &mut true)?,
            (Some(document), _) => self.object(document, self.shape)?,
            (None, _) => self.out.push_str("null"),
        }
        Ok((self.out.into(), u64::from(document.is_some())))
    }

    /// Values that are no rows, as a list.
    pub(crate) fn values(mut self, documents: &[Document]) -> Result<(Bytes, u64)> {
        self.out.push('[');
        for (at, document) in documents.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            match self.shape.fields.first() {
                Some(value) => self.member(document, value, &mut true)?,
                None => self.out.push_str("null"),
            }
        }
        self.out.push(']');
        Ok((self.out.into(), documents.len() as u64))
    }

    fn line(&mut self, document: &Document) -> Result<()> {
        let mut texts = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            texts.push(match field {
                Out::Value { .. } | Out::Count { .. } | Out::Average { .. } => {
                    let (value, ty) = self.value(document, field)?;
                    value.to_text_as(&ty)
                }
                Out::Embed { .. } | Out::Spread { .. } => {
                    let mut nested = Renderer {
                        catalog: self.catalog,
                        shape: self.shape,
                        format: self.format,
                        out: String::new(),
                        rows: 0,
                    };
                    nested.member(document, field, &mut true)?;
                    Some(nested.out)
                }
            });
        }
        self.out.push('\n');
        push_line(&mut self.out, texts);
        Ok(())
    }

    fn object(&mut self, document: &Document, shape: &Shape) -> Result<()> {
        self.out.push('{');
        let mut first = true;
        for field in &shape.fields {
            self.named(document, field, &mut first)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// A member of an object, or several of a spread embed.
    fn named(&mut self, document: &Document, field: &Out, first: &mut bool) -> Result<()> {
        if let Out::Spread { key, shape } = field {
            let rows = documents(document, key, shape);
            for inner in &shape.fields {
                self.key(name(inner), first);
                self.column(&rows, inner)?;
            }
            return Ok(());
        }
        let before = (self.out.len(), *first);
        self.key(name(field), first);
        let start = self.out.len();
        self.member(document, field, &mut true)?;
        if self.format.strip_nulls && &self.out[start..] == "null" {
            self.out.truncate(before.0);
            *first = before.1;
        }
        Ok(())
    }

    fn key(&mut self, name: &str, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(',');
        }
        push_string(&mut self.out, name);
        self.out.push(':');
    }

    /// What a spread to-many embed makes of one of its fields.
    fn column(&mut self, rows: &[Document], field: &Out) -> Result<()> {
        let start = self.out.len();
        self.out.push('[');
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.member(row, field, &mut true)?;
        }
        self.out.push(']');
        // PostgreSQL makes such arrays `jsonb`, where numbers and members have one form.
        let array = jsonb::normalize(&self.out[start..])?;
        self.out.truncate(start);
        self.out.push_str(&array);
        Ok(())
    }

    fn member(&mut self, document: &Document, field: &Out, first: &mut bool) -> Result<()> {
        match field {
            Out::Value { .. } | Out::Count { .. } | Out::Average { .. } => {
                let (value, ty) = self.value(document, field)?;
                self.out.push_str(&value.to_json_as(&ty));
            }
            Out::Embed { key, to_one: true, shape, .. } => match documents(document, key, shape).first() {
                Some(row) => self.object(row, shape)?,
                None => self.out.push_str("null"),
            },
            Out::Embed { key, shape, .. } => {
                self.out.push('[');
                for (at, row) in documents(document, key, shape).iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.object(row, shape)?;
                }
                self.out.push(']');
            }
            Out::Spread { .. } => self.named(document, field, first)?,
        }
        Ok(())
    }

    fn value(&self, document: &Document, field: &Out) -> Result<(Value, Type)> {
        let (found, ty, to) = match field {
            Out::Value { key, ty, bare, as_text, cast, .. } => {
                let stored = document.get(key).unwrap_or(&Bson::Null);
                let (value, ty) = read(document.get(key), stored, ty, *bare, *as_text)?;
                (value, ty, cast)
            }
            Out::Count { key, cast, .. } => {
                let count = document.get(key).and_then(storage::integer).unwrap_or(0);
                (Value::Int(count), Type::Int8, cast)
            }
            Out::Average { key, cast, .. } => {
                let parts = document.get_document(key).cloned().unwrap_or_else(|_| doc! {});
                (average(&parts)?, Type::Numeric(None), cast)
            }
            Out::Embed { .. } | Out::Spread { .. } => (Value::Null, Type::Jsonb, &None),
        };
        match to {
            None => Ok((found, ty)),
            Some(to) => Ok((cast(self.catalog, found, &ty, to)?, to.clone())),
        }
    }
}

fn read(found: Option<&Bson>, stored: &Bson, ty: &Type, bare: bool, as_text: bool) -> Result<(Value, Type)> {
    if !bare {
        return Ok((storage::value(stored, ty)?, ty.clone()));
    }
    Ok(match (found, as_text) {
        (None, true) | (Some(Bson::Null), true) => (Value::Null, Type::Text),
        (None, false) => (Value::Null, Type::Jsonb),
        (Some(Bson::String(text)), true) => (Value::Text(text.clone()), Type::Text),
        (Some(value), true) => (Value::Text(json::text(value)), Type::Text),
        (Some(value), false) => (Value::Json(json::text(value)), Type::Jsonb),
    })
}

/// The rows of an embed; an aggregate of none is a row too.
fn documents(document: &Document, key: &str, shape: &Shape) -> Vec<Document> {
    let rows = document.get_array(key).map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Document> = rows.iter().filter_map(Bson::as_document).cloned().collect();
    if rows.is_empty() && shape.single_group { vec![Document::new()] } else { rows }
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

fn push_line(out: &mut String, texts: Vec<Option<String>>) {
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let text = text.unwrap_or_default();
        if text.contains([',', '"', '\n', '\r', '\\', '(', ')', ' ']) {
            out.push('"');
            out.push_str(&text.replace('"', "\"\"").replace('\\', "\\\\"));
            out.push('"');
        } else {
            out.push_str(&text);
        }
    }
}
