//! Queries as pipelines.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
};
use truststream_kernel::{Result, Type};
use truststream_services::database::Nulls;
use truststream_sql::schema::table_name;

use super::distinct::distinct;
use super::frame::{Frame, Groups};
use super::titles::{is_name, natural_name, numbered, unambiguous};
use super::{Translator, aggregates, ident, unsupported};
use crate::names::field;
use crate::plan::{Sort, orderable};
use crate::record::sortable;
use crate::storage::integer;
use crate::term::{Term, Want, constant_of, is_json};

/// The rows of a query.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The collection that its pipeline begins with.
    pub(crate) from: String,
    /// Values of outer documents that are handed in.
    pub(crate) lets: Document,
    pub(crate) stages: Vec<Document>,
    /// What the documents have, stored as columns of a table are.
    pub(crate) columns: Vec<(String, Type)>,
    /// Whether there is never more than one.
    pub(crate) at_most_one: bool,
}

/// What documents a query makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'s> {
    /// Its columns by their own names.
    Own,
    /// Its columns by these names.
    Named(&'s [String]),
    /// Its columns by these names, in these types.
    Declared(&'s [(String, Type)]),
    /// Its one column, called `v`; a literal is read as this type.
    One(Option<&'s Type>),
    /// It does not matter.
    Nothing,
}

/// A column of a result.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) term: Term,
}

impl Translator<'_, '_> {
    pub(super) fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The rows of a query, as a pipeline.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn query(&mut self, query: &Query, shown: Shown<'_>) -> Result<Rows> {
        let named = self.named.len();
        for with in query.with.iter() {
            if with.recursive {
                return Err(unsupported("a query that leads to itself", query));
            }
            for table in &with.cte_tables {
                if !table.alias.columns.is_empty() {
                    return Err(unsupported("names of the columns of a with", query));
                }
                self.named.push((ident(&table.alias.name), *table.query.clone()));
            }
        }
        let rows = self.body(&query.body, query, shown);
        self.named.truncate(named);
        rows
    }

    pub(super) fn body(&mut self, body: &SetExpr, query: &Query, shown: Shown<'_>) -> Result<Rows> {
        match body {
            SetExpr::Select(select) => self.select(select, query, shown),
            SetExpr::Query(inner) if query.order_by.is_none() && query.limit_clause.is_none() => {
                self.query(inner, shown)
            }
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right } => {
                self.union(set_quantifier, (left, right), query, shown)
            }
            SetExpr::Values(values) => self.values(values, query, shown),
            _ => Err(unsupported("this query", query)),
        }
    }

    /// What is returned of rows, as a projection of the innermost frame.
    pub(super) fn shown_columns(
        &mut self,
        items: &[SelectItem],
        columns: &[(String, Type)],
    ) -> Result<Document> {
        let items = self.items(items, Shown::Declared(columns))?;
        let mut projection: Document =
            items.iter().map(|item| (field(&item.name), stored_form(&item.term))).collect();
        projection.insert("_id", 0);
        Ok(projection)
    }

    fn select(&mut self, select: &Select, query: &Query, shown: Shown<'_>) -> Result<Rows> {
        if select.into.is_some() || !select.named_window.is_empty() || select.qualify.is_some() {
            return Err(unsupported("this query", query));
        }
        self.frames.push(Frame::default());
        let made = self.selected(select, query, shown);
        let lets = self.frames.pop().map(|frame| frame.lets).unwrap_or_default();
        made.map(|rows| Rows { lets, ..rows })
    }

    fn selected(&mut self, select: &Select, query: &Query, shown: Shown<'_>) -> Result<Rows> {
        let mut from = self.from(&select.from)?;
        if let Some(condition) = &select.selection {
            let condition = self.truth(condition, Want::True)?;
            self.top().push(doc! { "$match": { "$expr": condition } });
        }
        let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
            return Err(unsupported("this grouping", query));
        };
        if !modifiers.is_empty() {
            return Err(unsupported("this grouping", query));
        }
        let grouped = !keys.is_empty() || select.having.is_some() || aggregates::select(select);
        if grouped {
            self.group_by(keys, select)?;
        }
        if let Some(condition) = &select.having {
            let condition = self.truth(condition, Want::True)?;
            self.top().push(doc! { "$match": { "$expr": condition } });
        }
        let items = match shown {
            Shown::Nothing => Vec::new(),
            _ => self.items(&select.projection, shown)?,
        };
        let mut sort = Sort::default();
        // Rows that are each there once are put in order afterwards.
        let once = matches!(select.distinct, Some(Distinct::Distinct));
        for order in orders(query)?.iter().filter(|_| !once) {
            let term = match self.item_of(&order.expr, &items) {
                Some(at) => items[at].term.clone(),
                None => self.value(&order.expr, None)?,
            };
            self.sort(&mut sort, &term, order)?;
        }
        let firsts = match &select.distinct {
            Some(Distinct::On(keys)) => Some(self.firsts(keys, &items)?),
            _ => None,
        };
        let at_most_one = self.close(&mut from, grouped, select.from.is_empty());
        let mut stages = std::mem::take(&mut self.top().stages);
        let again = sort.again();
        stages.extend(sort.stages());
        if let Some(firsts) = firsts {
            stages.extend(firsts);
            stages.extend(again);
        }
        let columns: Vec<(String, Type)> =
            items.iter().map(|item| (item.name.clone(), item.term.ty.clone())).collect();
        if !matches!(shown, Shown::Nothing) {
            let mut projection: Document =
                items.iter().map(|item| (field(&item.name), stored_form(&item.term))).collect();
            projection.insert("_id", i32::from(!grouped && select.distinct.is_none()));
            stages.push(doc! { "$project": projection });
        }
        let mut rows = Rows { from, lets: Document::new(), stages, columns, at_most_one };
        if once {
            self.told_by_text(rows.columns.iter().map(|(_, ty)| ty))?;
            rows.stages.extend(distinct(&rows.columns));
            self.ordered_columns(&mut rows, query)?;
        }
        self.limited(rows, query)
    }

    /// Ends the stages of the innermost frame with the groups that were asked for. Whether they give
    /// one document at most.
    fn close(&mut self, from: &mut String, grouped: bool, bare: bool) -> bool {
        let frame = self.top();
        let Some(Groups { keys, ids, mut accumulators, later, prefix, .. }) = frame.groups.take() else {
            return bare && !grouped;
        };
        let one = keys.is_empty();
        accumulators.insert("_id", if one { Bson::Null } else { Bson::Document(ids) });
        frame.stages.push(doc! { "$group": accumulators });
        if one {
            // There is a group also where there are no rows.
            let key = prefix.trim_end_matches('.').to_owned();
            let inner = std::mem::take(&mut frame.stages);
            let (outer, mut stages) = super::from::one_row();
            let inner = super::query::lookup(std::mem::replace(from, outer), Document::new(), inner, &key);
            stages.push(inner);
            stages
                .push(doc! { "$unwind": { "path": format!("${key}"), "preserveNullAndEmptyArrays": true } });
            frame.stages = stages;
        }
        frame.stages.extend(later);
        one
    }

    fn items(&mut self, projection: &[SelectItem], shown: Shown<'_>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for item in projection {
            match item {
                SelectItem::Wildcard(_) => self.all_columns(None, &mut items)?,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    self.all_columns(Some(&table_name(name).name), &mut items)?;
                }
                SelectItem::UnnamedExpr(expr) => {
                    let name = natural_name(expr);
                    self.item(name, expr, shown, &mut items)?;
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.item(ident(alias), expr, shown, &mut items)?;
                }
                other => return Err(unsupported("this in a select", other)),
            }
        }
        if let Shown::Declared(columns) = shown {
            items = self.spread_record(items, columns)?;
        }
        let names: Vec<String> = match shown {
            Shown::Named(names) => names.to_vec(),
            Shown::Declared(columns) => columns.iter().map(|(name, _)| name.clone()).collect(),
            Shown::One(_) => vec!["v".to_owned()],
            Shown::Own | Shown::Nothing => return unambiguous(items),
        };
        let fewer = matches!(shown, Shown::Named(_)) && names.len() < items.len();
        if names.len() != items.len() && !fewer {
            return Err(unsupported("a query of another number of columns", items.len()));
        }
        // Columns that its tables were given later are not a view's.
        items.truncate(names.len());
        for (at, (item, name)) in items.iter_mut().zip(names).enumerate() {
            item.name = name;
            if let Shown::Declared(columns) = shown {
                item.term = self.assigned(item.term.clone(), &columns[at].1)?;
            }
        }
        Ok(items)
    }

    fn item(&mut self, name: String, expr: &Expr, shown: Shown<'_>, items: &mut Vec<Item>) -> Result<()> {
        let hint = match shown {
            Shown::Declared(columns) => columns.get(items.len()).map(|(_, ty)| ty),
            Shown::One(hint) => hint,
            _ => None,
        };
        let term = self.value(expr, hint)?;
        items.push(Item { name, term });
        Ok(())
    }

    fn all_columns(&mut self, of: Option<&str>, items: &mut Vec<Item>) -> Result<()> {
        let frame = self.top();
        if frame.groups.is_some() {
            return Err(unsupported("all columns of groups", "*"));
        }
        let fits = |name: &str| of.is_none_or(|of| of == name);
        let found: Vec<_> = frame.relations.iter().filter(|one| fits(&one.name)).cloned().collect();
        if found.is_empty() {
            return Err(unsupported("all columns of what is not there", of.unwrap_or("*")));
        }
        for relation in found {
            let columns = relation.columns.iter();
            items
                .extend(columns.map(|(name, ty)| Item { name: name.clone(), term: relation.term(name, ty) }));
        }
        Ok(())
    }

    /// The item that a term of an order means by its number or its name.
    pub(super) fn item_of(&self, expr: &Expr, items: &[Item]) -> Option<usize> {
        numbered(expr, items.len()).or_else(|| items.iter().position(|item| is_name(expr, &item.name)))
    }

    pub(super) fn sort(&mut self, sort: &mut Sort, term: &Term, order: &OrderByExpr) -> Result<()> {
        orderable(self.catalog(), &term.ty)?;
        let descending = order.options.sort == Some(sqlparser::ast::OrderBySort::Desc);
        let nulls = order.options.nulls_first.map(|first| if first { Nulls::First } else { Nulls::Last });
        let key = sortable(self.catalog(), term)?;
        self.planner.sorted_by(sort, key, descending, nulls);
        Ok(())
    }

    pub(super) fn limited(&mut self, mut rows: Rows, query: &Query) -> Result<Rows> {
        let refused = || unsupported("this limit", query);
        if query.fetch.is_some() {
            return Err(refused());
        }
        let (limit, offset) = match &query.limit_clause {
            None => (None, None),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            Some(_) => return Err(refused()),
        };
        let mut known = |expr: &Expr| -> Result<Option<i64>> {
            let term = self.value(expr, Some(&Type::Int8))?;
            match constant_of(&term.expr) {
                Some(Bson::Null) => Ok(None),
                Some(known) => integer(known).filter(|number| *number >= 0).map(Some).ok_or_else(refused),
                None => Err(refused()),
            }
        };
        if let Some(offset) = offset.map(&mut known).transpose()?.flatten().filter(|offset| *offset > 0) {
            rows.stages.push(doc! { "$skip": offset });
        }
        match limit.map(&mut known).transpose()?.flatten() {
            None => {}
            Some(0) => rows.stages.push(doc! { "$match": { "$expr": false } }),
            Some(limit) => {
                rows.stages.push(doc! { "$limit": limit });
                rows.at_most_one |= limit == 1;
            }
        }
        Ok(rows)
    }
}

/// A term as a column stores it.
pub(crate) fn stored_form(term: &Term) -> Bson {
    match &term.expr {
        Bson::String(path) if !path.starts_with("$$") => {
            let stored = if is_json(&term.ty) { path.strip_suffix(".v").unwrap_or(path) } else { path };
            doc! { "$ifNull": [stored, Bson::Null] }.into()
        }
        expr if is_json(&term.ty) => {
            let mut stored = doc! { "v": expr.clone() };
            stored.extend(term.text.clone().map(|text| ("t".to_owned(), text)));
            doc! { "$cond": [term.is_null(Want::True), Bson::Null, stored] }.into()
        }
        expr => doc! { "$ifNull": [expr.clone(), Bson::Null] }.into(),
    }
}

pub(super) fn orders(query: &Query) -> Result<&[OrderByExpr]> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        None => Ok(&[]),
        Some(OrderByKind::Expressions(orders)) => Ok(orders),
        Some(OrderByKind::All(_)) => Err(unsupported("this order", query)),
    }
}
