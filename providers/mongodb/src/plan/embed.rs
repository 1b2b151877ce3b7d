//! Related resources inside a `select`: `$lookup` with a pipeline of its own.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Embed, Field, Link, PolicyCommand, Relationship, TableKind, TableName};
use truststream_sql::computed;

use super::read::{Part, What};
use super::{Condition, Place, Planner, order};
use crate::record::sortable;
use crate::sql::Translator;
use crate::term::all;

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
    /// What an embed adds to the rows of its parent.
    pub(super) fn embed(
        &mut self,
        parent: &Place,
        embed: &Embed,
        stages: &mut Vec<Document>,
    ) -> Result<Vec<Part>> {
        let relationship = self.relationship(&parent.table, embed)?;
        if embed.shows_nothing() {
            self.schema.relations.check(&relationship.to, &embed.query)?;
            if embed.spread {
                // PostgreSQL reads conditions of what is left out, and refuses wrong ones.
                self.conditions(&Place::of(&relationship.to), &embed.query)?;
            }
            return Ok(Vec::new());
        }
        let related = self.related(parent, &relationship)?;
        let key = self.temporary();
        if embed.spread && relationship.to_one {
            // Aggregates are those of the parent's groups.
            let to = Place::of(&relationship.to);
            let mut inner = self.conditions(&to, &embed.query)?;
            inner.extend(self.ordered(&to, &embed.query)?);
            inner.push(doc! { "$limit": 1 });
            stages.push(related.lookup(inner, &key));
            stages
                .push(doc! { "$unwind": { "path": format!("${key}"), "preserveNullAndEmptyArrays": true } });
            let row = Place::within(&relationship.to, &key);
            self.spread.push((parent.clone(), embed.name().to_owned(), row.clone()));
            let mut parts = self.parts(&row, &embed.query, stages)?;
            for part in &mut parts {
                part.origin = None;
                if let Some(shown) = &mut part.shown {
                    (shown.named, shown.spread) = (false, true);
                }
            }
            return Ok(parts);
        }
        let mut level = self.level(&Place::of(&relationship.to), &embed.query)?;
        let to_one = relationship.to_one;
        if to_one {
            level.stages.push(doc! { "$limit": 1 });
        }
        stages.push(related.lookup(level.stages, &key));
        if let Some(row) = parent.row() {
            // Where there is no row to spread, nothing is in it. Only a missing row sorts before null.
            let there = doc! { "$gt": [format!("${row}"), Bson::Null] };
            stages.push(doc! { "$addFields": { &key: { "$cond": [there, format!("${key}"), Bson::Null] } } });
        }
        let what = What::Embed { key, to_one, shape: level.shape, spread: embed.spread };
        Ok(vec![Part::new(embed.name().to_owned(), what)])
    }

    /// Whether a parent has a partner that the embed's own conditions admit.
    pub(super) fn embed_exists(&mut self, parent: &Place, embed: &Embed) -> Result<Condition> {
        let relationship = self.relationship(&parent.table, embed)?;
        let related = self.related(parent, &relationship)?;
        let to = Place::of(&relationship.to);
        let mut stages = self.conditions(&to, &embed.query)?;
        let query = &embed.query;
        if !self.counting {
            let hoisted = embed.spread && relationship.to_one;
            let counts = query.items.iter().any(|item| self.counts(&to, item));
            if !hoisted && (counts || self.schema.relations.is_one_group(&to.table, query)) {
                let expr = Bson::Boolean(query.limit != Some(0) && query.offset == 0);
                return Ok(Condition { stages: Vec::new(), expr });
            }
            stages.extend(order::page(query));
        }
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
        parent: &Place,
        embed: &Embed,
        field: &Field,
    ) -> Result<(Vec<Document>, Bson)> {
        let relationship = self.schema.relations.ordering(&parent.table, embed)?.clone();
        let related = self.related(parent, &relationship)?;
        let to = Place::of(&relationship.to);
        // A partner that the embed does not show orders nothing.
        let mut stages = self.conditions(&to, &embed.query)?;
        stages.extend(order::page(&embed.query));
        stages.push(doc! { "$limit": 1 });
        let term = self.term(&to, self.schema.relations.shown_as(embed, &to.table, field)?, &mut stages)?;
        order::orderable(&self.schema.catalog, &term.ty)?;
        let key = sortable(&self.schema.catalog, &term)?;
        stages.push(doc! { "$project": { "_id": 0, "k": key } });
        let name = self.temporary();
        let lookup = related.lookup(stages, &name);
        let row = doc! { "$arrayElemAt": [format!("${name}"), 0] };
        let first = doc! { "$let": { "vars": { "row": row }, "in": "$$row.k" } };
        Ok((vec![lookup], Bson::Document(doc! { "$ifNull": [first, Bson::Null] })))
    }

    pub(crate) fn relationship(&self, parent: &TableName, embed: &Embed) -> Result<Relationship> {
        self.schema.relations.embedded(parent, embed).cloned()
    }

    fn related(&mut self, parent: &Place, relationship: &Relationship) -> Result<Related> {
        match &relationship.link {
            Link::Key { columns, .. } => self.tied(parent, &relationship.to, columns),
            Link::Junction { table, source, target } => {
                let mut between = self.tied(parent, table, &source.1)?;
                let rows = self.tied(&Place::of(table), &relationship.to, &target.1)?;
                let key = self.temporary();
                between.stages.push(rows.lookup(Vec::new(), &key));
                between.stages.push(doc! { "$unwind": format!("${key}") });
                between.stages.push(doc! { "$replaceRoot": { "newRoot": format!("${key}") } });
                Ok(between)
            }
            Link::Computed { function } => {
                let schema = self.schema;
                let from = &relationship.from;
                let found = computed::rows(&schema.catalog, function, from).ok_or_else(|| {
                    Error::internal(format!("a relationship without its function: {function} of {from}"))
                })?;
                let rows = Translator::computed_rows(self, parent, found)?;
                Ok(Related { from: rows.from, ties: rows.lets, stages: rows.stages })
            }
        }
    }

    /// Rows of a table whose columns equal the parent's.
    fn tied(&mut self, parent: &Place, to: &TableName, columns: &[(String, String)]) -> Result<Related> {
        let (table, place) = (self.schema.table(to)?, Place::of(to));
        let mut ties = Document::new();
        let mut conditions = Vec::new();
        for (mine, theirs) in columns {
            self.access.may_read(table, to, theirs)?;
            let variable = self.variable();
            let value = format!("$${variable}");
            conditions.push(Bson::Document(doc! { "$ne": [value.clone(), Bson::Null] }));
            let found = format!("${}", place.sought(table, theirs));
            conditions.push(Bson::Document(doc! { "$eq": [found, value] }));
            // What is missing would stay so, and is not told from null by every server.
            ties.insert(variable, doc! { "$ifNull": [parent.path(mine), Bson::Null] });
        }
        let tie = doc! { "$match": { "$expr": all(conditions) } };
        let mut origin = self.origin(to, PolicyCommand::Select)?;
        // Where the rows are stored, the tie comes first: an index may serve it.
        let at = if table.kind == TableKind::Table { 0 } else { origin.stages.len() };
        origin.stages.insert(at, tie);
        Ok(Related { from: origin.collection, ties, stages: origin.stages })
    }
}
