//! Rows that are each there once: `distinct`, `distinct on`, `union`.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Query, SetExpr, SetQuantifier};
use truststream_kernel::{Result, Type};

use super::select::{Item, Rows, Shown, orders, stored_form};
use super::titles::{is_name, numbered};
use super::{Translator, unsupported};
use crate::names::field;
use crate::plan::Sort;
use crate::term::Term;

/// Whether stages read variables that nothing in them makes.
fn names_outside(stages: &[Document]) -> bool {
    fn walk(bson: &Bson, made: &mut Vec<String>, read: &mut Vec<String>) {
        match bson {
            Bson::Document(parts) => {
                for (name, part) in parts {
                    if let ("let" | "vars", Bson::Document(variables)) = (name.as_str(), part) {
                        made.extend(variables.keys().cloned());
                    }
                    walk(part, made, read);
                }
            }
            Bson::Array(parts) => parts.iter().for_each(|part| walk(part, made, read)),
            Bson::String(text) => {
                let variable = text.strip_prefix("$$v").and_then(|rest| rest.split('.').next());
                let numbered = variable.filter(|rest| rest.bytes().all(|sign| sign.is_ascii_digit()));
                read.extend(numbered.map(|rest| format!("v{rest}")));
            }
            _ => {}
        }
    }
    let (mut made, mut read) = (Vec::new(), Vec::new());
    stages.iter().for_each(|stage| walk(&Bson::Document(stage.clone()), &mut made, &mut read));
    read.iter().any(|one| !made.contains(one))
}

/// Each row once.
pub(super) fn distinct(columns: &[(String, Type)]) -> Vec<Document> {
    let keys: Document = columns
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (format!("k{at}"), Bson::from(format!("${}", field(name)))))
        .collect();
    let mut projection: Document = columns
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (field(name), Bson::from(format!("$_id.k{at}"))))
        .collect();
    projection.insert("_id", 0);
    vec![doc! { "$group": { "_id": keys } }, doc! { "$project": projection }]
}

impl Translator<'_, '_> {
    /// `union` and `union all`
    pub(super) fn union(
        &mut self,
        quantifier: &SetQuantifier,
        (left, right): (&SetExpr, &SetExpr),
        query: &Query,
        shown: Shown<'_>,
    ) -> Result<Rows> {
        let bare = Query { with: None, order_by: None, limit_clause: None, ..query.clone() };
        let mut rows = self.body(left, &bare, shown)?;
        let names: Vec<(String, Type)> = rows.columns.clone();
        let more = self.body(right, &bare, Shown::Declared(&names))?;
        if !more.lets.is_empty() || names_outside(&more.stages) {
            return Err(unsupported("a union that names columns from outside", query));
        }
        rows.stages.push(doc! { "$unionWith": { "coll": more.from, "pipeline": more.stages } });
        if !matches!(quantifier, SetQuantifier::All) {
            self.told_by_text(rows.columns.iter().map(|(_, ty)| ty))?;
            rows.stages.extend(distinct(&rows.columns));
        }
        rows.at_most_one = false;
        self.ordered_columns(&mut rows, query)?;
        self.limited(rows, query)
    }

    /// Orders rows by columns that they have.
    pub(super) fn ordered_columns(&mut self, rows: &mut Rows, query: &Query) -> Result<()> {
        let mut sort = Sort::default();
        for order in orders(query)? {
            let at = numbered(&order.expr, rows.columns.len())
                .or_else(|| rows.columns.iter().position(|(name, _)| is_name(&order.expr, name)))
                .ok_or_else(|| unsupported("this order of rows that are there once", order))?;
            let (name, ty) = &rows.columns[at];
            self.sort(&mut sort, &Term::stored(format!("${}", field(name)), ty.clone()), order)?;
        }
        let stages = sort.stages();
        if stages.is_empty() {
            return Ok(());
        }
        rows.stages.extend(stages);
        let fields = rows.columns.iter().map(|(name, _)| (field(name), Bson::Int32(1)));
        let mut projection: Document = fields.collect();
        projection.insert("_id", 0);
        rows.stages.push(doc! { "$project": projection });
        Ok(())
    }

    /// `distinct on`: the stages that leave the first document of each group.
    pub(super) fn firsts(&mut self, keys: &[Expr], items: &[Item]) -> Result<Vec<Document>> {
        let mut ids = Document::new();
        for (at, key) in keys.iter().enumerate() {
            let term = match self.item_of(key, items) {
                Some(at) => items[at].term.clone(),
                None => self.value(key, None)?,
            };
            self.told_by_text([&term.ty])?;
            ids.insert(format!("k{at}"), stored_form(&term));
        }
        Ok(vec![
            doc! { "$group": { "_id": ids, "r": { "$first": "$$ROOT" } } },
            doc! { "$replaceRoot": { "newRoot": "$r" } },
        ])
    }
}
