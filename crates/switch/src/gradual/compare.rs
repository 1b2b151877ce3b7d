//! Whether two sides gave one answer to a read.

use serde_json::Value as Json;
use truststream_services::database::{Item, Page, Select};

/// Whether a read has one answer: the first rows of an order that leaves some of them open may be
/// others each time.
pub(super) fn has_one_answer(select: &Select, key: &[String]) -> bool {
    let query = &select.query;
    let whole = query.limit.is_none() && query.offset == 0;
    let ordered = |column: &String| {
        query.order.iter().any(|order| order.field.path.is_empty() && order.field.name == *column)
    };
    let embeds =
        query.items.iter().any(|item| matches!(item, Item::Embed(embed) if embed.query.limit.is_some()));
    !embeds && (whole || (!key.is_empty() && key.iter().all(ordered)))
}

/// Whether these are the same rows. Where none is asked for, their order does not count.
pub(super) fn same(one: &Page, other: &Page) -> bool {
    one.rows == other.rows
        && one.total == other.total
        && (one.body == other.body
            || normal(&one.body).is_some_and(|normal_one| Some(normal_one) == normal(&other.body)))
}

/// The body with lists of rows in one order; nothing if it is no JSON.
fn normal(body: &[u8]) -> Option<Json> {
    let mut body = serde_json::from_slice(body).ok()?;
    sort(&mut body);
    Some(body)
}

fn sort(value: &mut Json) {
    match value {
        Json::Array(items) => {
            items.iter_mut().for_each(sort);
            if items.iter().all(Json::is_object) {
                items.sort_by_cached_key(Json::to_string);
            }
        }
        Json::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use truststream_services::database::{Query, TableName};

    use super::*;

    fn page(body: &'static str) -> Page {
        Page { body: body.into(), rows: 2, ..Page::default() }
    }

    #[test]
    fn rows_count_and_their_order_does_not() {
        let one = page(r#"[{"id":1,"of":[{"a":1},{"a":2}]},{"id":2,"of":[]}]"#);
        assert!(same(&one, &page(r#"[{"of":[],"id":2},{"id":1,"of":[{"a":2},{"a":1}]}]"#)));
        assert!(!same(&one, &page(r#"[{"id":1,"of":[{"a":1},{"a":3}]},{"id":2,"of":[]}]"#)));
        assert!(!same(&page(r#"[{"list":[1,2]}]"#), &page(r#"[{"list":[2,1]}]"#)));
        assert!(!same(&one, &Page { total: Some(3), ..one.clone() }));
        assert!(!same(&page("id\n1\n"), &page("id\n2\n")));
    }

    #[test]
    fn the_first_rows_of_an_open_order_have_many_answers() {
        let key = ["id".to_owned()];
        let mut select = Select::new(TableName::public("notes"), Query::all());
        assert!(has_one_answer(&select, &key));
        select.query.limit = Some(10);
        assert!(!has_one_answer(&select, &key));
        assert!(!has_one_answer(&select, &[]));
    }
}
