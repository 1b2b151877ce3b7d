//! Window functions: numbers and ranks of rows within their partition, and aggregates of all of it.

use mongodb::bson::{Bson, Document, doc};
use sqlparser::ast::{Expr, Function, FunctionArguments, OrderByExpr, WindowSpec, WindowType};
use truststream_kernel::{Result, Type};

use super::select::stored_form;
use super::{Translator, unsupported};
use crate::plan::Sort;
use crate::term::Term;

impl Translator<'_, '_> {
    /// A function with `over (…)`.
    pub(super) fn windowed(&mut self, function: &Function) -> Result<Term> {
        let refused = || unsupported("this window", function);
        let Some(WindowType::WindowSpec(window)) = &function.over else { return Err(refused()) };
        if window.window_name.is_some() || window.window_frame.is_some() || function.filter.is_some() {
            return Err(refused());
        }
        let mut stage = Document::new();
        if let Some(partition) = self.partition(&window.partition_by)? {
            stage.insert("partitionBy", partition);
        }
        let word = match function.name.to_string().to_lowercase().as_str() {
            "row_number" => "$documentNumber",
            "rank" => "$rank",
            "dense_rank" => "$denseRank",
            _ => return self.over_all(function, window, stage),
        };
        let plain = matches!(&function.args, FunctionArguments::List(list) if list.args.is_empty());
        if !plain || window.order_by.is_empty() {
            return Err(refused());
        }
        let (keys, by) = self.in_order(&window.order_by)?.parts();
        self.top().push(doc! { "$addFields": keys });
        let by = if word == "$documentNumber" { by } else { self.one_key(by).ok_or_else(refused)? };
        let key = self.planner.temporary();
        stage.insert("sortBy", by);
        stage.insert("output", doc! { &key: { word: {} } });
        self.top().push(doc! { "$setWindowFields": stage });
        Ok(Term::new(doc! { "$toLong": format!("${key}") }, Type::Int8))
    }

    /// An aggregate of all rows of a partition.
    fn over_all(&mut self, function: &Function, window: &WindowSpec, mut stage: Document) -> Result<Term> {
        if !window.order_by.is_empty() {
            return Err(unsupported("an aggregate of the rows up to this one", function));
        }
        let (accumulators, shown, ty) = self.accumulated(function)?;
        let (mut output, mut paths) = (Document::new(), Vec::new());
        for mut accumulator in accumulators {
            let key = self.planner.temporary();
            accumulator.insert("window", doc! { "documents": ["unbounded", "unbounded"] });
            output.insert(&key, accumulator);
            paths.push(Bson::String(format!("${key}")));
        }
        stage.insert("output", output);
        self.top().push(doc! { "$setWindowFields": stage });
        let (expr, text) = shown(&paths);
        Ok(Term { expr, ty, text })
    }

    fn partition(&mut self, keys: &[Expr]) -> Result<Option<Bson>> {
        let mut parts = Document::new();
        for (at, key) in keys.iter().enumerate() {
            let term = self.value(key, None)?;
            self.told_by_text([&term.ty])?;
            parts.insert(format!("p{at}"), stored_form(&term));
        }
        Ok((!parts.is_empty()).then(|| parts.into()))
    }

    fn in_order(&mut self, orders: &[OrderByExpr]) -> Result<Sort> {
        let mut sort = Sort::default();
        for order in orders {
            let term = self.value(&order.expr, None)?;
            self.sort(&mut sort, &term, order)?;
        }
        Ok(sort)
    }

    /// One key for several of one direction, for ranks know of one only.
    fn one_key(&mut self, by: Document) -> Option<Document> {
        if by.len() == 1 {
            return Some(by);
        }
        let direction = by.values().next()?.clone();
        if by.values().any(|one| *one != direction) {
            return None;
        }
        let parts: Document =
            by.keys().map(|name| (name.clone(), Bson::String(format!("${name}")))).collect();
        let key = self.planner.temporary();
        self.top().push(doc! { "$addFields": { &key: parts } });
        Some(Document::from_iter([(key, direction)]))
    }
}
