//! A query with its names resolved: what each embed relates to, what each item is called.

mod items;

use truststream_kernel::Result;
use truststream_services::database::{
    Aggregate, Embed, Field, Filter, Is, Item, Link, Operand, Operator, Order, Query, Relationship, Table,
    TableName, errors,
};

use crate::schema::Schema;

pub(crate) use items::Selected;

/// Where the rows of a node come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The table itself.
    Table,
    /// What a write or a call returned.
    Returned,
}

/// One level of a query: a table and what is taken of it.
#[derive(Debug)]
pub(crate) struct Node<'q> {
    pub(crate) source: Source,
    pub(crate) table: TableName,
    /// What is known of the table; nothing for what functions return.
    pub(crate) known: Option<&'q Table>,
    /// SQL alias; the table's own name if absent.
    pub(crate) alias: Option<String>,
    pub(crate) select: Vec<Selected>,
    pub(crate) filter: Option<&'q Filter>,
    pub(crate) order: &'q [Order],
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) embeds: Vec<Embedded<'q>>,
}

/// A related resource within a node.
#[derive(Debug)]
pub(crate) struct Embedded<'q> {
    pub(crate) embed: &'q Embed,
    pub(crate) relationship: &'q Relationship,
    /// SQL alias of the joined rows.
    pub(crate) joined: String,
    /// Columns that the parent is ordered by although they are not shown.
    pub(crate) hidden: Vec<String>,
    pub(crate) node: Node<'q>,
}

impl<'q> Node<'q> {
    /// Resolves a query on a table.
    ///
    /// # Errors
    /// PGRST200 and PGRST201 for embeds, PGRST108 and PGRST118 for orders.
    pub(crate) fn plan(
        schema: &'q Schema,
        table: &TableName,
        source: Source,
        query: &'q Query,
    ) -> Result<Self> {
        schema.relations.told_apart(table, query)?;
        let alias = (source == Source::Returned).then(|| table.name.clone());
        let mut node = Node::level(schema, (table.clone(), source, alias), query, 0)?;
        node.settle_items(schema, false, false);
        node.settle_orders()?;
        Ok(node)
    }

    fn level(
        schema: &'q Schema,
        (table, source, alias): (TableName, Source, Option<String>),
        query: &'q Query,
        depth: usize,
    ) -> Result<Self> {
        let mut select = Vec::new();
        let mut embeds = Vec::new();
        for item in &query.items {
            match item {
                Item::Embed(embed) => embeds.push(Embedded::plan(schema, &table, embed, depth + 1)?),
                other => select.push(Selected::of(other)),
            }
        }
        Ok(Node {
            known: schema.catalog.table(&table),
            source,
            table,
            alias,
            select,
            filter: query.filter.as_ref(),
            order: &query.order,
            limit: query.limit,
            offset: query.offset,
            embeds,
        })
    }

    /// The embed that a name in a filter or an order means.
    pub(crate) fn embedded(&self, name: &str) -> Option<&Embedded<'q>> {
        self.embeds.iter().find(|embedded| embedded.embed.name() == name)
    }

    /// Whether nothing of it appears in the reply: an embed used only to filter by.
    pub(crate) fn shows_nothing(&self) -> bool {
        self.select.is_empty() && self.embeds.iter().all(|embedded| embedded.node.shows_nothing())
    }

    /// Whether rows are grouped.
    pub(crate) fn aggregates(&self) -> bool {
        self.select.iter().any(|item| item.aggregate.is_some())
            || self
                .embeds
                .iter()
                .filter(|embedded| embedded.embed.spread)
                .any(|embedded| embedded.hoisted().iter().any(|hoisted| hoisted.aggregate.is_some()))
    }

    /// The columns a write must return for this query to be answered from them; `None`: all.
    pub(crate) fn needed_columns(&self) -> Option<Vec<String>> {
        let mut needed: Vec<String> = Vec::new();
        for item in &self.select {
            if item.is_all() || item.full_row {
                return None;
            }
            needed.push(item.field.name.clone());
        }
        for embedded in &self.embeds {
            match &embedded.relationship.link {
                Link::Key { columns, .. } => needed.extend(columns.iter().map(|(own, _)| own.clone())),
                Link::Junction { source, .. } => needed.extend(source.1.iter().map(|(own, _)| own.clone())),
                Link::Computed { .. } => return None,
            }
        }
        needed.sort_unstable();
        needed.dedup();
        Some(needed)
    }

    fn settle_orders(&mut self) -> Result<()> {
        for order in self.order {
            let Some(name) = &order.relation else { continue };
            let found = self.embeds.iter_mut().find(|embedded| embedded.embed.name() == name);
            let Some(embedded) = found else { return Err(errors::not_embedded(name)) };
            if !embedded.relationship.to_one {
                return Err(errors::not_to_one(&self.table, name));
            }
            embedded.order_by(&order.field.name);
        }
        self.embeds.iter_mut().try_for_each(|embedded| embedded.node.settle_orders())
    }
}

impl<'q> Embedded<'q> {
    fn plan(schema: &'q Schema, parent: &TableName, embed: &'q Embed, depth: usize) -> Result<Self> {
        let relationship = schema.relations.resolve(parent, &embed.relation, embed.hint.as_deref())?;
        let target = &relationship.to;
        let alias = Some(format!("{}_{depth}", target.name));
        let node = Node::level(schema, (target.clone(), Source::Table, alias), &embed.query, depth)?;
        let joined = format!("{}_{}_{depth}", relationship.from.name, embed.name());
        Ok(Embedded { embed, relationship, joined, hidden: Vec::new(), node })
    }

    /// Makes a column of it known to its parent's order.
    fn order_by(&mut self, column: &str) {
        let node = &self.node;
        let shown = node.aggregates()
            || node.select.iter().any(|item| item.is_all() || item.name() == column)
            || self.hidden.iter().any(|name| name == column);
        if !shown {
            self.hidden.push(column.to_owned());
        }
    }

    /// Whether its rows become arrays in the parent.
    pub(crate) fn spreads_many(&self) -> bool {
        self.embed.spread && !self.relationship.to_one
    }
}

/// A filter on an embed as such: `clients=is.null`; `true` if it asks that there is none.
pub(crate) fn absence<'n, 'q>(node: &'n Node<'q>, filter: &Filter) -> Option<(&'n Embedded<'q>, bool)> {
    let Filter::Compare(comparison) = filter else { return None };
    if comparison.operator != Operator::Is || !comparison.field.path.is_empty() {
        return None;
    }
    let absent = match comparison.operand {
        Operand::Is(Is::Null) => true,
        Operand::Is(Is::NotNull) => false,
        _ => return None,
    };
    Some((node.embedded(&comparison.field.name)?, absent))
}

/// An aggregate or plain column that a spread puts into its parent.
#[derive(Clone, Debug)]
pub(crate) struct Hoisted {
    /// Name among the joined rows; `*` for all of them.
    pub(crate) name: String,
    /// Aggregate over it in the parent.
    pub(crate) aggregate: Option<Aggregate>,
    /// Name in the reply, where it differs.
    pub(crate) alias: Option<String>,
}

/// A field that is just a column.
pub(crate) fn plain(name: &str) -> Field {
    Field::column(name)
}
