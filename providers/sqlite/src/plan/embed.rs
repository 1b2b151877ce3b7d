//! Related resources inside a `select`.

use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Embed, Item, Link, Query, Relationship};
use truststream_sql::quote::quote;

use super::field::{Term, as_json};
use super::read::Out;
use super::{Planner, Scope};
use crate::schema::physical;

/// The embed that a filter or order names.
pub(super) fn named<'q>(query: &'q Query, name: &str) -> Option<&'q Embed> {
    query.items.iter().find_map(|item| match item {
        Item::Embed(embed) if embed.name() == name => Some(embed),
        _ => None,
    })
}

impl Planner<'_> {
    /// What an embed adds to the object of its parent.
    pub(super) fn embed(&mut self, parent: &Scope, embed: &Embed) -> Result<Vec<Out>> {
        if embed.query.items.is_empty() && !embed.spread {
            return Ok(Vec::new());
        }
        let relationship = self.relationship(parent, embed)?;
        let scope = self.scope(&relationship.to);
        let (from, conditions) = self.related(parent, &scope, &relationship)?;
        let level = self.level(&scope, &embed.query, from, conditions)?;
        let from = &level.from;
        if embed.spread {
            return Ok(level
                .fields
                .iter()
                .map(|field| {
                    let json = &field.json;
                    let sql = if relationship.to_one {
                        format!("(SELECT json_quote({json}) FROM {from} LIMIT 1)")
                    } else {
                        format!("(SELECT json_group_array({json}) FROM {from})")
                    };
                    Out::new(field.name.clone(), Term { sql, ty: Type::Json })
                })
                .collect());
        }
        let object = &level.object;
        let sql = if relationship.to_one {
            format!("(SELECT {object} FROM {from} LIMIT 1)")
        } else {
            format!("(SELECT json_group_array({object}) FROM {from})")
        };
        Ok(vec![Out::new(embed.name().to_owned(), Term { sql, ty: Type::Json })])
    }

    /// Whether a parent has a partner that the embed's own conditions admit.
    pub(super) fn embed_exists(&mut self, parent: &Scope, embed: &Embed) -> Result<String> {
        let relationship = self.relationship(parent, embed)?;
        let scope = self.scope(&relationship.to);
        let (from, mut conditions) = self.related(parent, &scope, &relationship)?;
        conditions.extend(self.conditions(&scope, &embed.query)?);
        let conditions = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        Ok(format!("EXISTS (SELECT 1 FROM {from} WHERE {conditions})"))
    }

    /// A field of a to-one embed, as a term of the parent.
    pub(super) fn embed_field(
        &mut self,
        parent: &Scope,
        embed: &Embed,
        field: &truststream_services::database::Field,
    ) -> Result<Term> {
        let relationship = self.relationship(parent, embed)?;
        if !relationship.to_one {
            let message = format!("A related order on '{}' is not possible", embed.name());
            let details = format!(
                "'{}' and '{}' do not form a many-to-one or one-to-one relationship",
                parent.table.name,
                embed.name()
            );
            return Err(Error::new(truststream_kernel::ErrorKind::InvalidInput, "PGRST118", message)
                .with_details(details));
        }
        let scope = self.scope(&relationship.to);
        let (from, conditions) = self.related(parent, &scope, &relationship)?;
        let term = self.term(&scope, field)?;
        let sorted = self.comparable(&term);
        let sql = format!("(SELECT {sorted} FROM {from} WHERE {} LIMIT 1)", conditions.join(" AND "));
        Ok(Term { sql, ty: if matches!(term.ty, Type::Numeric(_)) { term.ty } else { Type::Text } })
    }

    fn relationship(&self, parent: &Scope, embed: &Embed) -> Result<Relationship> {
        self.schema.relations.resolve(&parent.table, &embed.relation, embed.hint.as_deref()).cloned()
    }

    /// The related rows: where they come from, and what ties them to the parent.
    fn related(
        &mut self,
        parent: &Scope,
        scope: &Scope,
        relationship: &Relationship,
    ) -> Result<(String, Vec<String>)> {
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
            Link::Computed { function } => Err(Error::unsupported(format!(
                "computed relationships are not supported by this database: {function} on {}",
                physical(&relationship.from)
            ))),
        }
    }
}

impl Out {
    pub(super) fn new(name: String, term: Term) -> Self {
        let json = as_json(&term);
        Out { name, json, term }
    }
}
