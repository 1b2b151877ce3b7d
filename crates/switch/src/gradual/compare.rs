//! Whether two sides gave one answer to a read.

use std::collections::HashMap;

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

/// Whether an answer may be of some moment between two answers of the other side: it has each row that
/// both of them have, and no row that neither has.
pub(super) fn lies_between(first: &Page, answer: &Page, last: &Page) -> bool {
    let counted = || Some((rows_of(&first.body)?, rows_of(&answer.body)?, rows_of(&last.body)?));
    let Some((first_rows, rows, last_rows)) = counted() else { return false };
    let count = |rows: &HashMap<String, usize>, row: &str| rows.get(row).copied().unwrap_or_default();
    let of_both = |row: &str| (count(&first_rows, row), count(&last_rows, row));
    let has_all = first_rows.keys().all(|row| {
        let (before, after) = of_both(row);
        count(&rows, row) >= before.min(after)
    });
    let has_no_other = rows.iter().all(|(row, found)| {
        let (before, after) = of_both(row);
        *found <= before.max(after)
    });
    has_all && has_no_other && is_within(first.total, answer.total, last.total)
}

fn is_within(first: Option<u64>, total: Option<u64>, last: Option<u64>) -> bool {
    match (first, total, last) {
        (Some(first), Some(total), Some(last)) => (first.min(last)..=first.max(last)).contains(&total),
        (first, total, last) => first == total && total == last,
    }
}

/// How often a list has each row; nothing if it is none.
fn rows_of(body: &[u8]) -> Option<HashMap<String, usize>> {
    let Some(Json::Array(rows)) = normal(body) else { return None };
    let mut counted = HashMap::new();
    for row in rows {
        *counted.entry(row.to_string()).or_default() += 1;
    }
    Some(counted)
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

    #[test]
    fn an_answer_of_a_moment_in_between_is_made_of_rows_of_before_and_after() {
        let first = page(r#"[{"id":1,"n":1},{"id":2,"n":1},{"id":3,"n":1}]"#);
        let last = page(r#"[{"id":1,"n":2},{"id":2,"n":2},{"id":3,"n":1},{"id":4,"n":1}]"#);
        for between in [
            r#"[{"id":1,"n":2},{"id":2,"n":1},{"id":3,"n":1}]"#,
            r#"[{"id":4,"n":1},{"id":3,"n":1},{"id":2,"n":2},{"id":1,"n":2}]"#,
        ] {
            assert!(lies_between(&first, &page(between), &last), "{between}");
        }
        for other in [
            // A row that stood still is missing, is there twice, or is another.
            r#"[{"id":1,"n":2},{"id":2,"n":1}]"#,
            r#"[{"id":1,"n":2},{"id":2,"n":1},{"id":3,"n":1},{"id":3,"n":1}]"#,
            r#"[{"id":1,"n":2},{"id":2,"n":1},{"id":3,"n":7}]"#,
            // One that nobody answered.
            r#"[{"id":1,"n":7},{"id":2,"n":1},{"id":3,"n":1}]"#,
            r#"{"id":3,"n":1}"#,
        ] {
            assert!(!lies_between(&first, &page(other), &last), "{other}");
        }
        let of = |total| Page { total: Some(total), ..page(r#"[{"id":3,"n":1}]"#) };
        assert!(lies_between(&of(3), &of(4), &of(5)) && !lies_between(&of(3), &of(6), &of(5)));
    }
}
