//! The texts a configuration is made of, laid over one another without losing where each part
//! came from.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use truststream_kernel::{Error, Result};

/// All texts, one after the other: a span says at once in which text and line it lies.
#[derive(Debug, Default)]
pub struct Sources {
    texts: Vec<Text>,
}

#[derive(Debug)]
struct Text {
    name: String,
    text: String,
    start: usize,
}

impl Sources {
    /// Lays a file over what is there.
    pub fn add_file(&mut self, path: &Path, required: bool) -> Result<()> {
        match std::fs::read_to_string(path) {
            Ok(text) => self.add(&path.display().to_string(), text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => Ok(()),
            Err(error) => Err(Error::configuration(format!("{}: can't be read: {error}", path.display()))
                .with_source(error)),
        }
    }

    /// Lays a text over what is there.
    pub fn add(&mut self, name: &str, text: String) -> Result<()> {
        let start = self.texts.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.texts.push(Text { name: name.to_owned(), text, start });
        self.merged().map(drop)
    }

    /// All texts as one table, each part with its place.
    fn merged(&self) -> Result<DeTable<'_>> {
        let mut all = DeTable::new();
        for text in &self.texts {
            let parsed = DeTable::parse(&text.text).map_err(|error| {
                self.error_at(error.span().map(|span| shift(&span, text.start)), error.message())
            })?;
            merge(&mut all, self.relocate_table(parsed.into_inner(), text.start)?);
        }
        Ok(all)
    }

    /// Lays the variables `TRUSTSTREAM_…` over what is there; `__` divides the parts of a key.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<()> {
        for (name, value) in variables {
            let Some(key) = name.strip_prefix("TRUSTSTREAM_") else { continue };
            let path: Vec<_> = key.split("__").map(str::to_ascii_lowercase).collect();
            if !is_setting(&path[0]) || path.iter().any(String::is_empty) {
                continue;
            }
            let plain = toml::Value::String(value.clone()).to_string();
            let value = if toml::de::ValueDeserializer::parse(&value).is_ok() { value } else { plain };
            self.add(&format!("variable {name}"), format!("{} = {value}", path.join(".")))?;
        }
        Ok(())
    }

    /// A top-level table that is read by its owner.
    pub fn section(&self, name: &str) -> Result<Option<Spanned<toml::Table>>> {
        let Some((key, value)) = self.merged()?.remove_entry(name) else { return Ok(None) };
        let span = key.span();
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            return Err(self.error_at(Some(span), &format!("{name}: expected a table, such as [{name}]")));
        }
        let deserializer = toml::de::ValueDeserializer::from(value);
        let table = serde::Deserialize::deserialize(deserializer)
            .map_err(|error: toml::de::Error| self.error_at(Some(span.clone()), error.message()))?;
        Ok(Some(Spanned::new(span, table)))
    }

    /// Reads everything but the given sections.
    pub fn read<T: DeserializeOwned>(&self, sections: &[&str]) -> Result<T> {
        let mut table = self.merged()?;
        for section in sections {
            table.remove(*section);
        }
        T::deserialize(toml::Deserializer::from(Spanned::new(0..0, table)))
            .map_err(|error| self.error_at(error.span(), error.message()))
    }

    /// Where a top-level key stands.
    pub fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.merged().ok()?.get_key_value(key).map(|(key, _)| key.span())
    }

    /// An error at a place.
    pub fn error_at(&self, span: Option<Range<usize>>, message: &str) -> Error {
        let place = span.and_then(|span| {
            let text = self.texts.iter().rev().find(|text| text.start <= span.start)?;
            let before = text.text.get(..span.start - text.start)?;
            Some(format!("{}:{}", text.name, before.matches('\n').count() + 1))
        });
        let place = place.or_else(|| Some(self.texts.first()?.name.clone()));
        let place = place.unwrap_or_else(|| "truststream.toml".to_owned());
        Error::configuration(format!("{place}: {}", message.trim()))
            .with_hint("`truststream config check` validates the file without starting anything")
    }

    fn relocate_table<'t>(&self, table: DeTable<'t>, start: usize) -> Result<DeTable<'t>> {
        let mut moved = DeTable::new();
        for (key, value) in table {
            let key = Spanned::new(shift(&key.span(), start), key.into_inner());
            moved.insert(key, self.relocate(value, start)?);
        }
        Ok(moved)
    }

    fn relocate<'t>(&self, value: Spanned<DeValue<'t>>, start: usize) -> Result<Spanned<DeValue<'t>>> {
        let span = shift(&value.span(), start);
        let value = match value.into_inner() {
            DeValue::Table(table) => DeValue::Table(self.relocate_table(table, start)?),
            DeValue::Array(array) => DeValue::Array(
                array.into_iter().map(|item| self.relocate(item, start)).collect::<Result<_>>()?,
            ),
            DeValue::String(text) if text.contains("${") => {
                let filled =
                    substitute(&text).map_err(|message| self.error_at(Some(span.clone()), &message))?;
                DeValue::String(filled.into())
            }
            other => other,
        };
        Ok(Spanned::new(span, value))
    }
}

/// Only names that can be settings are read from the environment, so that other variables of the
/// same prefix do no harm.
fn is_setting(first: &str) -> bool {
    matches!(first, "active" | "backend" | "control" | "switch" | "health" | "layers")
        || super::SECTIONS.contains(&first)
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

fn merge<'t>(below: &mut DeTable<'t>, above: DeTable<'t>) {
    for (key, value) in above {
        match (below.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value) {
            (Some(DeValue::Table(old)), value) if matches!(value.get_ref(), DeValue::Table(_)) => {
                if let DeValue::Table(new) = value.into_inner() {
                    merge(old, new);
                }
            }
            (_, value) => {
                below.remove(key.get_ref().as_ref());
                below.insert(key, value);
            }
        }
    }
}

/// Puts the environment's values in place of `${NAME}`.
fn substitute(text: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            return Err("`${` without `}`; expected `${NAME}`".to_owned());
        };
        filled.push_str(before);
        filled.push_str(&std::env::var(name).map_err(|_| format!("the variable `{name}` is not set"))?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}
