//! Full-text search.

use truststream_kernel::{Result, Type};
use truststream_services::database::FullTextParser;
use truststream_sql::expression::{Document, is_caseless};
use truststream_sql::quote::{literal, quote};
use truststream_sql::text_search::Configuration;

use super::compare::no_operator;
use super::represented::Compared;
use super::{Planner, Scope};
use crate::words::Words;

impl Planner<'_> {
    /// `@@`; texts and JSON are documents by way of `to_tsvector`, as PostgREST has it.
    pub(super) fn full_text(
        &mut self,
        scope: &Scope,
        term: &Compared<'_>,
        (parser, configuration): (FullTextParser, Option<&str>),
        text: &str,
    ) -> Result<String> {
        Configuration::named(configuration)?;
        let subject = match term.sql.strip_prefix(&format!("{}.", scope.alias)) {
            Some(column) => format!("{}.{column}", quote(&scope.alias)),
            None => term.sql.clone(),
        };
        let ty = if is_caseless(&term.ty) { &Type::Text } else { &term.ty };
        let document = Document::of(ty, configuration, subject);
        let document = document.ok_or_else(|| no_operator("@@", term))?;
        let function = match parser {
            FullTextParser::Raw => "to_tsquery",
            FullTextParser::Plain => "plainto_tsquery",
            FullTextParser::Phrase => "phraseto_tsquery",
            FullTextParser::Websearch => "websearch_to_tsquery",
        };
        let named = configuration.map_or_else(|| "NULL".to_owned(), literal);
        let literal = self.literal(&Type::Text, text)?;
        let query = format!("ts_{function}({named}, {literal})");
        let matches = format!("ts_text_match({}, {query})", document.sql());
        // What names no row is false where the search is null.
        let index = if self.negated {
            None
        } else {
            Words::on(&self.schema.catalog, &scope.table, &scope.alias, &document)
        };
        Ok(match index {
            Some(index) => format!("{} AND {matches}", index.condition(&scope.alias, &query)),
            None => matches,
        })
    }
}
