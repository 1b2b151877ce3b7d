//! What is selected and how it is called.

use truststream_services::database::{Aggregate, AggregateFunction, Field, Item, JsonKey, Table};

use super::{Embedded, Hoisted, Node, plain};
use crate::schema::Schema;

/// One selected column.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) field: Field,
    pub(crate) cast: Option<String>,
    pub(crate) aggregate: Option<Aggregate>,
    /// Name in the reply, where SQL would not give it by itself.
    pub(crate) alias: Option<String>,
    /// The row itself instead of `*`: what is counted by `count()` of a spread.
    pub(crate) full_row: bool,
    /// Function that represents the value in JSON.
    pub(crate) represented_by: Option<String>,
}

impl Selected {
    pub(super) fn of(item: &Item) -> Self {
        let (field, alias, cast, aggregate) = match item {
            Item::Column { field, alias, cast, aggregate } => {
                (field.clone(), alias.clone(), cast.clone(), aggregate.clone())
            }
            Item::Count { alias, cast } => {
                let count = Aggregate { function: AggregateFunction::Count, cast: cast.clone() };
                (plain("*"), alias.clone(), None, Some(count))
            }
            Item::All | Item::Embed(_) => (plain("*"), None, None, None),
        };
        Selected { field, cast, aggregate, alias, full_row: false, represented_by: None }
    }

    /// `*`
    pub(crate) fn everything() -> Self {
        Selected::of(&Item::All)
    }

    pub(crate) fn is_all(&self) -> bool {
        self.field.name == "*" && self.aggregate.is_none()
    }

    /// The name it has among the rows selected.
    pub(crate) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.field.name)
    }

    fn settle_alias(&mut self) {
        if self.alias.is_some() {
            return;
        }
        if self.aggregate.is_some() {
            self.alias = self.full_row.then(|| "count".to_owned());
        } else if let Some(last) = self.field.path.last() {
            let key = |step: &JsonKey| match step {
                JsonKey::Key(key) => Some(key.clone()),
                JsonKey::Index(_) => None,
            };
            let named =
                key(&last.key).or_else(|| self.field.path.iter().rev().find_map(|step| key(&step.key)));
            self.alias = Some(named.unwrap_or_else(|| self.field.name.clone()));
        } else if self.represented_by.is_some() || self.cast.is_some() {
            self.alias = Some(self.field.name.clone());
        }
    }
}

impl Node<'_> {
    /// Expands `*` where single columns are needed, finds representations, names what has no name.
    pub(super) fn settle_items(&mut self, schema: &Schema, grouped: bool, many: bool) {
        let grouped = grouped || self.select.iter().any(|item| item.aggregate.is_some());
        let represented = self.known.is_some_and(|table| has_representations(schema, table));
        if let Some(table) = self.known.filter(|_| grouped || represented || many) {
            self.select =
                std::mem::take(&mut self.select).into_iter().flat_map(|item| expand(item, table)).collect();
        }
        for item in &mut self.select {
            let column = self.known.and_then(|table| table.column(&item.field.name));
            if let Some(column) = column.filter(|_| item.field.path.is_empty()) {
                item.represented_by = schema.representation(&column.type_name, "json").map(str::to_owned);
            }
            item.settle_alias();
        }
        for embedded in &mut self.embeds {
            let many = embedded.spreads_many() || (many && embedded.embed.spread);
            if embedded.embed.spread {
                for item in &mut embedded.node.select {
                    item.full_row = item.field.name == "*" && item.aggregate.is_some();
                }
            }
            embedded.node.settle_items(schema, grouped, many);
        }
    }
}

fn has_representations(schema: &Schema, table: &Table) -> bool {
    table.columns.iter().any(|column| schema.representation(&column.type_name, "json").is_some())
}

fn expand(item: Selected, table: &Table) -> Vec<Selected> {
    if !item.is_all() {
        return vec![item];
    }
    table.columns.iter().map(|column| Selected { field: plain(&column.name), ..item.clone() }).collect()
}

impl Embedded<'_> {
    /// What this spread puts into its parent.
    pub(crate) fn hoisted(&self) -> Vec<Hoisted> {
        // Rows that become arrays are aggregated where they are.
        let inside = self.spreads_many();
        let own = self.node.select.iter().map(|item| Hoisted {
            name: match (&item.aggregate, &item.alias) {
                (Some(aggregate), None) if inside => aggregate.function.name().to_owned(),
                _ => item.name().to_owned(),
            },
            aggregate: item.aggregate.clone().filter(|_| !inside),
            alias: item.alias.clone().filter(|_| item.aggregate.is_some() && !inside),
        });
        let related = self
            .node
            .embeds
            .iter()
            .filter(|embedded| !embedded.node.shows_nothing() || embedded.embed.spread);
        let related = related.flat_map(|embedded| {
            if !embedded.embed.spread {
                let name = embedded.embed.name().to_owned();
                return vec![Hoisted { name, aggregate: None, alias: None }];
            }
            let mut hoisted = embedded.hoisted();
            if inside {
                for item in &mut hoisted {
                    if let Some(aggregate) = item.aggregate.take() {
                        let default = aggregate.function.name().to_owned();
                        item.name = item.alias.take().unwrap_or(default);
                    }
                }
            }
            hoisted
        });
        own.chain(related).collect()
    }
}
