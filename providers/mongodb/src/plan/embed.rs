//! Related resources inside a `select`: `$lookup` with a pipeline of its own.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Embed, Field, Item, Link, PolicyCommand, Query, Relationship, TableName,
};

use super::{Condition, Out, Planner};
use crate::names::{collection, path, sought};
use crate::term::all;

/// The embed that a filter or order names.
pub(super) fn named<'q>(query: &'q Query, name: &str) -> Option<&'q Embed> {
    query.items.iter().find_map(|item| match item {
        Item::Embed(embed) if embed.name() == name => Some(embed),
        _ => None,
    })
}

/// Where related rows come from: a collection, the parent's values it is tied by, and the stages
/// that leave the related rows that the caller may see.
struct Related {
    from: String,
    ties: Document,
    stages: Vec<Document>,
}

impl Related {
    fn lookup(mut self, stages: Vec<Document>, into: &str) -> Document {
        self.stages.extend(stages);
        doc! { "$lookup": { "from": self.from, "let": self.ties, "pipeline": self.stages, "as": into } }
    }
}

impl Planner<'_> {
    /// What an embed adds to the documents of its parent.
    pub(super) fn embed(
        &mut self,
        parent: &TableName,
        embed: &Embed,
    ) -> Result<Option<(Vec<Document>, Out)>> {
        if embed.query.items.is_empty() && !embed.spread {
            return Ok(None);
        }
        let relationship = self.relationship(parent, embed)?;
        let related = self.related(&relationship)?;
        let mut level = self.level(&relationship.to, &embed.query)?;
        let to_one = relationship.to_one;
        if to_one {
            level.stages.push(doc! { "$limit": 1 });
        }
        let key = self.temporary();
        let lookup = related.lookup(level.stages, &key);
        let out = if embed.spread {
            Out::Spread { key, to_one, shape: level.shape }
        } else {
            Out::Embed { name: embed.name().to_owned(), key, to_one, shape: level.shape }
        };
        Ok(Some((vec![lookup], out)))
    }

    /// Whether a parent has a partner that the embed's own conditions admit.
    pub(super) fn embed_exists(&mut self, parent: &TableName, embed: &Embed) -> Result<Condition> {
        let relationship = self.relationship(parent, embed)?;
        let related = self.related(&relationship)?;
        let mut stages = self.conditions(&relationship.to, &embed.query)?;
        stages.push(doc! { "$limit": 1 });
        stages.push(doc! { "$project": { "_id": 1 } });
        let key = self.temporary();
        let lookup = related.lookup(stages, &key);
        let expr = Bson::Document(doc! { "$gt": [{ "$size": format!("${key}") }, 0] });
        Ok(Condition { stages: vec![lookup], expr })
    }

    /// A field of a to-one embed, as a key to sort the parent by.
    pub(super) fn embed_key(
        &mut self,
        parent: &TableName,
        embed: &Embed,
        field: &Field,
    ) -> Result<(Vec<Document>, Bson)> {
        let relationship = self.relationship(parent, embed)?;
        if !relationship.to_one {
            let message = format!("A related order on '{}' is not possible", embed.name());
            let details = format!(
                "'{}' and '{}' do not form a many-to-one or one-to-one relationship",
                parent.name,
                embed.name()
            );
            return Err(Error::new(ErrorKind::InvalidInput, "PGRST118", message).with_details(details));
        }
        let related = self.related(&relationship)?;
        let key = self.term(&relationship.to, field)?.comparable(&self.schema.catalog);
        let stages = vec![doc! { "$limit": 1 }, doc! { "$project": { "_id": 0, "k": key } }];
        let name = self.temporary();
        let lookup = related.lookup(stages, &name);
        let row = doc! { "$arrayElemAt": [format!("${name}"), 0] };
        let first = doc! { "$let": { "vars": { "row": row }, "in": "$$row.k" } };
        Ok((vec![lookup], Bson::Document(doc! { "$ifNull": [first, Bson::Null] })))
    }

    fn relationship(&self, parent: &TableName, embed: &Embed) -> Result<Relationship> {
        self.schema.relations.resolve(parent, &embed.relation, embed.hint.as_deref()).cloned()
    }

    fn related(&mut self, relationship: &Relationship) -> Result<Related> {
        match &relationship.link {
            Link::Key { columns, .. } => self.tied(&relationship.to, columns),
            Link::Junction { table, source, target } => {
                let mut between = self.tied(table, &source.1)?;
                let rows = self.tied(&relationship.to, &target.1)?;
                let key = self.temporary();
                between.stages.push(rows.lookup(Vec::new(), &key));
                between.stages.push(doc! { "$unwind": format!("${key}") });
                between.stages.push(doc! { "$replaceRoot": { "newRoot": format!("${key}") } });
                Ok(between)
            }
            Link::Computed { function } => Err(Error::unsupported(format!(
                "computed relationships are not supported by this database: {function} on {}",
                relationship.from
            ))),
        }
    }

    /// Rows of a table whose columns equal the parent's.
    fn tied(&mut self, to: &TableName, columns: &[(String, String)]) -> Result<Related> {
        let table = self.schema.table(to)?;
        let mut ties = Document::new();
        let mut conditions = Vec::new();
        for (mine, theirs) in columns {
            let variable = self.variable();
            let value = format!("$${variable}");
            conditions.push(Bson::Document(doc! { "$ne": [value.clone(), Bson::Null] }));
            conditions.push(Bson::Document(doc! { "$eq": [format!("${}", sought(table, theirs)), value] }));
            ties.insert(variable, path(mine));
        }
        let mut stages = vec![doc! { "$match": { "$expr": all(conditions) } }];
        stages.extend(self.guarded(to, PolicyCommand::Select)?);
        Ok(Related { from: collection(to), ties, stages })
    }
}
