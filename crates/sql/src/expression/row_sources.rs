//! PostgreSQL's own functions that give a row for each element of an array, or each member of a document.

use truststream_kernel::Type;

use super::names::Relation;
use super::translate::Translator;
use super::{Term, Unsupported};

/// Those whose rows are elements, in the order of the array.
const OF_ELEMENTS: &[&str] = &[
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
];

impl Translator<'_> {
    /// Where rows come from, and what columns they have. `in_result` is their name in the statement, and
    /// `called` the one that it gives them.
    pub(super) fn rows_of_own(
        &self,
        name: &str,
        arguments: &[Term],
        in_result: &str,
        called: &str,
    ) -> Result<Option<(String, Relation)>, Unsupported> {
        let elements = |array: Option<Term>, ty: Type| {
            array.map(|array| {
                let cell = format!("{in_result}.value");
                let relation = Relation {
                    cells: Some(vec![cell]),
                    ..Relation::new(called, vec![(called.to_owned(), ty)])
                };
                (format!("json_each({})", array.sql), relation)
            })
        };
        Ok(match (name, arguments) {
            ("regexp_split_to_table", _) => {
                elements(self.of_pattern("regexp_split_to_array", arguments)?, Type::Text)
            }
            ("string_to_table", _) => elements(self.of_array("string_to_array", arguments)?, Type::Text),
            ("regexp_matches", _) => {
                elements(self.of_pattern(name, arguments)?, Type::Array(Box::new(Type::Text)))
            }
            ("jsonb_each" | "jsonb_each_text" | "json_each" | "json_each_text", [document]) => {
                let of = if name.starts_with("jsonb") { Type::Jsonb } else { Type::Json };
                let document = self.coerced(document.clone(), &of)?.sql;
                let is_text = name.ends_with("_text");
                let value = format!("ts_get({document}, {in_result}.key, {})", u8::from(is_text));
                let ty = if is_text { Type::Text } else { of };
                let columns = vec![("key".to_owned(), Type::Text), ("value".to_owned(), ty)];
                let relation = Relation {
                    cells: Some(vec![format!("{in_result}.key"), value]),
                    ..Relation::new(called, columns)
                };
                Some((format!("json_each({})", object(&document, name)), relation))
            }
            ("jsonb_object_keys" | "json_object_keys", [document]) => {
                let of = if name.starts_with("jsonb") { Type::Jsonb } else { Type::Json };
                let document = self.coerced(document.clone(), &of)?.sql;
                let relation = Relation {
                    cells: Some(vec![format!("{in_result}.key")]),
                    ..Relation::new(called, vec![(called.to_owned(), Type::Text)])
                };
                Some((format!("json_each({})", object(&document, name)), relation))
            }
            _ => None,
        })
    }
}

/// A document that is an object; PostgreSQL refuses others.
fn object(document: &str, function: &str) -> String {
    let message = |what: &str| format!("'cannot call {function} on {what}'");
    let message = if function.ends_with("object_keys") {
        let (array, scalar) = (message("an array"), message("a scalar"));
        format!("iif(json_type({document}) = 'array', {array}, {scalar})")
    } else {
        message("a non-object")
    };
    format!(
        "CASE WHEN json_type({document}) = 'object' THEN {document} \
         WHEN {document} IS NOT NULL THEN ts_raise('22023', {message}) END"
    )
}

/// `with ordinality`: the number of a row, from 1, as the last column; `None` where rows are no elements.
pub(super) fn numbered(function: &str, in_result: &str, relation: Relation) -> Option<Relation> {
    if function != "unnest" && !OF_ELEMENTS.contains(&function) {
        return None;
    }
    let Relation { cells: Some(mut cells), mut columns, .. } = relation.clone() else { return None };
    cells.push(format!("({in_result}.key + 1)"));
    columns.push(("ordinality".to_owned(), Type::Int8));
    Some(Relation { cells: Some(cells), columns, ..relation })
}
