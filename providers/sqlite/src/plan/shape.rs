//! The shape of a request: all of it but its literals, as bytes that differ where shapes differ.

use truststream_services::database::{
    Aggregate, Comparison, Field, Filter, Item, JsonKey, Nulls, Operand, Operator, Order, Query, TableName,
};

use super::cache::Purpose;
use super::read::Source;

/// A request's shape and, in one order, what was left out of it.
pub(super) struct Shape<'q> {
    pub(super) key: Vec<u8>,
    pub(super) texts: Vec<&'q str>,
    pub(super) queries: Vec<&'q Query>,
}

impl<'q> Shape<'q> {
    pub(super) fn of(
        role: Option<&str>,
        purpose: Purpose,
        (table, query): (&TableName, &'q Query),
        source: &Source,
    ) -> Self {
        let mut shape = Shape { key: Vec::with_capacity(256), texts: Vec::new(), queries: Vec::new() };
        shape.option(role);
        shape.tag(match source {
            Source::Table => 0,
            Source::Rows(ids) if ids.len() == 1 => 1,
            Source::Rows(_) => 2,
        });
        shape.tag(match purpose {
            Purpose::Rows => 0,
            Purpose::Count => 1,
            // Whoever counts to a number counts to it always.
            Purpose::CountTo(_) => 15,
            Purpose::Targets(command, returns) => 2 + command as u8 + 16 * u8::from(returns),
        });
        shape.text(&table.schema);
        shape.text(&table.name);
        shape.query(query);
        shape
    }

    fn tag(&mut self, tag: u8) {
        self.key.push(tag);
    }

    fn length(&mut self, length: usize) {
        self.key.extend_from_slice(&length.to_le_bytes()[..4]);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.key.extend_from_slice(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        self.tag(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn query(&mut self, query: &'q Query) {
        self.queries.push(query);
        self.length(query.items.len());
        for item in &query.items {
            self.item(item);
        }
        self.tag(u8::from(query.filter.is_some()));
        if let Some(filter) = &query.filter {
            self.filter(filter);
        }
        self.length(query.order.len());
        for order in &query.order {
            self.order(order);
        }
        self.tag(u8::from(query.limit.is_some()) | u8::from(query.offset > 0) << 1);
    }

    fn item(&mut self, item: &'q Item) {
        match item {
            Item::All => self.tag(0),
            Item::Count { alias, cast } => {
                self.tag(1);
                self.option(alias.as_deref());
                self.option(cast.as_deref());
            }
            Item::Column { field, alias, cast, aggregate } => {
                self.tag(2);
                self.field(field);
                self.option(alias.as_deref());
                self.option(cast.as_deref());
                self.tag(u8::from(aggregate.is_some()));
                if let Some(Aggregate { function, cast }) = aggregate {
                    self.tag(*function as u8);
                    self.option(cast.as_deref());
                }
            }
            Item::Embed(embed) => {
                self.tag(3);
                self.text(&embed.relation);
                self.option(embed.alias.as_deref());
                self.option(embed.hint.as_deref());
                self.tag(u8::from(embed.inner) | u8::from(embed.spread) << 1);
                self.query(&embed.query);
            }
        }
    }

    fn field(&mut self, field: &Field) {
        self.text(&field.name);
        self.length(field.path.len());
        for step in &field.path {
            self.tag(u8::from(step.as_text));
            match &step.key {
                JsonKey::Key(key) => {
                    self.tag(0);
                    self.text(key);
                }
                JsonKey::Index(index) => {
                    self.tag(1);
                    self.key.extend_from_slice(&index.to_le_bytes());
                }
            }
        }
    }

    fn order(&mut self, order: &Order) {
        self.option(order.relation.as_deref());
        self.field(&order.field);
        self.tag(u8::from(order.descending));
        self.tag(match order.nulls {
            None => 0,
            Some(Nulls::First) => 1,
            Some(Nulls::Last) => 2,
        });
    }

    fn filter(&mut self, filter: &'q Filter) {
        match filter {
            Filter::And(all) | Filter::Or(all) => {
                self.tag(u8::from(matches!(filter, Filter::Or(_))));
                self.length(all.len());
                for one in all {
                    self.filter(one);
                }
            }
            Filter::Not(inner) => {
                self.tag(2);
                self.filter(inner);
            }
            Filter::Compare(comparison) => {
                self.tag(3);
                self.comparison(comparison);
            }
        }
    }

    fn comparison(&mut self, comparison: &'q Comparison) {
        let Comparison { field, operator, quantifier, operand } = comparison;
        self.field(field);
        self.operator(operator);
        self.tag(quantifier.map_or(0, |quantifier| 1 + quantifier as u8));
        match operand {
            Operand::Text(text) => {
                self.tag(0);
                self.texts.push(text);
            }
            Operand::List(texts) => {
                self.tag(1);
                self.length(texts.len());
                self.texts.extend(texts.iter().map(String::as_str));
            }
            Operand::Is(is) => {
                self.tag(2);
                self.tag(*is as u8);
            }
        }
    }

    fn operator(&mut self, operator: &Operator) {
        let tag = match operator {
            Operator::Eq => 0,
            Operator::Neq => 1,
            Operator::Gt => 2,
            Operator::Gte => 3,
            Operator::Lt => 4,
            Operator::Lte => 5,
            Operator::Like => 6,
            Operator::Ilike => 7,
            Operator::Match => 8,
            Operator::Imatch => 9,
            Operator::Is => 10,
            Operator::IsDistinct => 11,
            Operator::In => 12,
            Operator::Contains => 13,
            Operator::ContainedBy => 14,
            Operator::Overlaps => 15,
            Operator::StrictlyLeft => 16,
            Operator::StrictlyRight => 17,
            Operator::NotRight => 18,
            Operator::NotLeft => 19,
            Operator::Adjacent => 20,
            Operator::FullText(parser, _) => 21 + *parser as u8,
        };
        self.tag(tag);
        if let Operator::FullText(_, configuration) = operator {
            self.option(configuration.as_deref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(query: &Query) -> Vec<u8> {
        Shape::of(Some("anon"), Purpose::Rows, (&TableName::public("t"), query), &Source::Table).key
    }

    #[test]
    fn only_literals_are_left_out() {
        let query = |column: &str, text: &str, limit: Option<u64>| {
            let mut query = Query { limit, ..Query::all() };
            query.and(Filter::eq(column, text));
            query
        };
        assert_eq!(key(&query("a", "1", Some(1))), key(&query("a", "22", Some(9))));
        assert_ne!(key(&query("a", "1", None)), key(&query("a", "1", Some(1))));
        assert_ne!(key(&query("a", "1", None)), key(&query("b", "1", None)));
        let negated = Query { filter: Some(Filter::eq("a", "1").negated()), ..Query::all() };
        assert_ne!(key(&query("a", "1", None)), key(&negated));
        let table = TableName::public("t");
        let all = Query::all();
        let roles = [None, Some("anon"), Some("authenticated")];
        let keys = roles.map(|role| Shape::of(role, Purpose::Rows, (&table, &all), &Source::Table).key);
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
    }
}
