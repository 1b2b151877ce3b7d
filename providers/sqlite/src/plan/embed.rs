//! Related resources inside a `select`.

use std::sync::Arc;

use truststream_kernel::value::json::push_string;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Embed, Field, Link, Relationship};
use truststream_sql::quote::quote;
use truststream_sql::{computed, expression};

use super::field::{Term, as_json, record_json};
use super::part::Part;
use super::read::{Level, Out, all};
use super::represented::Key;
use super::{Planner, Scope};
use crate::schema::Schema;

impl Planner<'_> {
    /// What an embed adds to the object of its parent.
    pub(super) fn embed(&mut self, parent: &Scope, embed: &Embed) -> Result<Vec<Part>> {
        let relationship = self.relationship(parent, embed)?;
        if embed.shows_nothing() {
            self.schema.relations.check(&relationship.to, &embed.query)?;
            if embed.spread {
                self.refuse_wrong(parent, &relationship, embed)?;
            }
            return Ok(Vec::new());
        }
        let scope = self.embedded(parent, &relationship.to);
        let (from, mut conditions) = self.related(parent, &scope, &relationship)?;
        if embed.spread && relationship.to_one {
            conditions.extend(self.conditions(&scope, &embed.query)?);
            let from = self.matched(&scope, &embed.query, &from, &all(conditions))?;
            let mut parts = self.parts(&scope, &embed.query)?;
            // Aggregates are those of the parent's groups.
            for part in &mut parts {
                part.term.sql = format!("(SELECT {} FROM {from} LIMIT 1)", part.term.sql);
                part.key = part.key.take().map(|_| Key::Nothing);
                part.origin = None;
            }
            return Ok(parts);
        }
        let Level { fields, object, from } = self.level(&scope, &embed.query, from, conditions)?;
        let json = |name: String, sql: String| Part::new(name, Term { sql, ty: Type::Json }, None);
        if embed.spread {
            let array = |field: Out| {
                // PostgreSQL makes such arrays jsonb, where numbers and members have one form.
                let array = format!("ts_cast(json_group_array({}), 'json', 'jsonb')", field.json);
                json(field.name, format!("(SELECT {array} FROM {from})"))
            };
            return Ok(fields.into_iter().map(array).collect());
        }
        let sql = if relationship.to_one {
            format!("(SELECT {object} FROM {from} LIMIT 1)")
        } else {
            format!("(SELECT json_group_array({object}) FROM {from})")
        };
        Ok(vec![json(embed.name().to_owned(), sql)])
    }

    /// Refuses wrong conditions of an embed that is left out of the statement: PostgreSQL reads them.
    fn refuse_wrong(&mut self, parent: &Scope, relationship: &Relationship, embed: &Embed) -> Result<()> {
        let bound = self.parameters.len();
        let scope = self.embedded(parent, &relationship.to);
        self.conditions(&scope, &embed.query)?;
        // What was bound for them has no place in the statement.
        self.parameters.truncate(bound);
        self.recorder = None;
        Ok(())
    }

    /// Whether a parent has a partner that the embed's own conditions admit.
    pub(super) fn embed_exists(&mut self, parent: &Scope, embed: &Embed) -> Result<String> {
        let relationship = self.relationship(parent, embed)?;
        let scope = self.embedded(parent, &relationship.to);
        let (from, mut conditions) = self.related(parent, &scope, &relationship)?;
        conditions.extend(self.conditions(&scope, &embed.query)?);
        let conditions = all(conditions);
        // Counting asks which rows match, whatever page is wanted of them.
        let page = if self.counting { String::new() } else { self.page(&embed.query) };
        let hoisted = embed.spread && relationship.to_one;
        let counts = embed.query.items.iter().any(|item| self.counts(&scope, item));
        let grouped = counts || self.schema.relations.is_one_group(&scope.table, &embed.query);
        if !self.counting && !hoisted && grouped {
            return Ok(format!("EXISTS (SELECT count(*) FROM {from} WHERE {conditions}{page})"));
        }
        Ok(format!("EXISTS (SELECT 1 FROM {from} WHERE {conditions}{page})"))
    }

    /// A field of a to-one embed, as a term of the parent.
    pub(super) fn embed_field(&mut self, parent: &Scope, embed: &Embed, field: &Field) -> Result<Term> {
        let relationship = self.schema.relations.ordering(&parent.table, embed)?.clone();
        let scope = self.embedded(parent, &relationship.to);
        let (from, mut conditions) = self.related(parent, &scope, &relationship)?;
        // A partner that the embed does not show orders nothing.
        conditions.extend(self.conditions(&scope, &embed.query)?);
        let term = self.term(&scope, self.schema.relations.shown_as(embed, &scope.table, field)?)?;
        let page = self.page(&embed.query);
        let page = if page.is_empty() { " LIMIT 1" } else { &page };
        let sql = format!("(SELECT {} FROM {from} WHERE {}{page})", term.sql, all(conditions));
        Ok(Term { sql, ..term })
    }

    fn relationship(&self, parent: &Scope, embed: &Embed) -> Result<Relationship> {
        self.schema.relations.embedded(&parent.table, embed).cloned()
    }

    /// The related rows: where they come from, and what ties them to the parent.
    fn related(
        &mut self,
        parent: &Scope,
        scope: &Scope,
        relationship: &Relationship,
    ) -> Result<(String, Vec<String>)> {
        if let Link::Computed { function } = &relationship.link {
            let name = &relationship.from;
            let function = computed::rows(&self.schema.catalog, function, name).ok_or_else(|| {
                Error::internal(format!("a relationship without its function: {function} of {name}"))
            })?;
            let rows = self.computed(parent, |within| expression::computed_rows(function, within))?;
            return Ok((format!("({rows}) AS {}", scope.alias), Vec::new()));
        }
        let from = self.from(scope)?;
        let tie = |left: &str, right: &str, columns: &[(String, String)]| -> Vec<String> {
            columns
                .iter()
                .map(|(one, other)| format!("{right}.{} = {left}.{}", quote(other), quote(one)))
                .collect()
        };
        match &relationship.link {
            Link::Key { columns, .. } => Ok((from, tie(&parent.alias, &scope.alias, columns))),
            Link::Junction { table, source, target } => {
                let between = self.scope(table);
                let junction = self.from(&between)?;
                let mut inner = tie(&parent.alias, &between.alias, &source.1);
                inner.extend(tie(&between.alias, &scope.alias, &target.1));
                let exists = format!("EXISTS (SELECT 1 FROM {junction} WHERE {})", inner.join(" AND "));
                Ok((from, vec![exists]))
            }
            Link::Computed { .. } => Ok((from, Vec::new())),
        }
    }
}

impl Out {
    pub(super) fn new(schema: &Schema, name: String, term: Term) -> Self {
        let record = schema.composite(&term.ty).map(Arc::clone);
        let json = match &record {
            Some(composite) => format!("ts_raw({})", record_json(composite, &term.sql)),
            None => as_json(&term),
        };
        let mut key = String::with_capacity(name.len() + 3);
        push_string(&mut key, &name);
        key.push(':');
        Out { name, key, json, term, record }
    }
}
