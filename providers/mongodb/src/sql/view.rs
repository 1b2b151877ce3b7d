//! Views: what they select, in the place of their name.

use mongodb::bson::doc;
use sqlparser::ast::{Query, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::Result;
use truststream_services::database::{TableKind, TableName};

use super::select::Shown;
use super::{Translator, unsupported};
use crate::plan::{Plan, Planner};

/// How deep views may lie upon one another.
const DEEPEST: usize = 16;

impl Planner<'_> {
    /// The rows of a view, with the rights of its owner or of who asks; all that could be in it, where
    /// they are not filtered.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn view(&mut self, name: &TableName, filtered: bool) -> Result<Plan> {
        let table = self.schema.table(name)?;
        let TableKind::View { definition, invoker, .. } = &table.kind else {
            return Err(unsupported("this view", name));
        };
        if self.views >= DEEPEST {
            return Err(unsupported("views upon so many views", name));
        }
        let mut query = parsed(definition).ok_or_else(|| unsupported("this view", definition))?;
        if let (false, SetExpr::Select(select)) = (filtered, query.body.as_mut()) {
            select.selection = None;
        }
        let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let access = self.access;
        self.access = if *invoker { access.by_columns(false) } else { access.owner() };
        self.views += 1;
        let rows = Translator::new(self).query(&query, Shown::Named(&names));
        self.views -= 1;
        self.access = access;
        let mut rows = rows?;
        if !rows.lets.is_empty() {
            return Err(unsupported("this view", name));
        }
        if filtered && rows.at_most_one && rows.stages.is_empty() {
            rows.stages.push(doc! { "$limit": 1 });
        }
        Ok(Plan { collection: rows.from, stages: rows.stages })
    }
}

fn parsed(definition: &str) -> Option<Query> {
    match Parser::parse_sql(&PostgreSqlDialect {}, definition).ok()?.into_iter().next()? {
        Statement::Query(query) => Some(*query),
        _ => None,
    }
}
