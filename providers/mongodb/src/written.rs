//! How values of `json` are written: as they were given, or as PostgreSQL writes what its functions make.
//!
//! A form is the text itself, or tells what it is made of:
//!
//! | form | what it is |
//! | --- | --- |
//! | `{ v }` | a value as `jsonb` prints it |
//! | `{ v, t }` | JSON with a form of its own, as columns have it |
//! | `{ c }` | a value without white space, as arrays and rows are printed |
//! | `{ w, l }` | elements, or members `{ k, e }`, in one of the [`Way`]s |

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::value::json::push_string;

use crate::json;
use crate::term::constant;

/// What stands around and between elements or members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `json_build_array`, and `json_agg` of plain values.
    Array,
    /// `json_agg` of rows and arrays, each on a line of its own.
    Lines,
    /// `json_build_object`
    Object,
    /// `json_object_agg`
    Gathered,
    /// A row.
    Row,
}

impl Way {
    const ALL: [Way; 5] = [Way::Array, Way::Lines, Way::Object, Way::Gathered, Way::Row];

    fn word(self) -> &'static str {
        match self {
            Way::Array => "array",
            Way::Lines => "lines",
            Way::Object => "object",
            Way::Gathered => "gathered",
            Way::Row => "row",
        }
    }

    /// What stands before, between and behind, and between a name and its value.
    fn signs(self) -> [&'static str; 4] {
        match self {
            Way::Array | Way::Lines => ["[", ", ", "]", ""],
            Way::Object => ["{", ", ", "}", " : "],
            Way::Gathered => ["{ ", ", ", " }", " : "],
            Way::Row => ["{", ",", "}", ":"],
        }
    }

    /// The form of what a list has, which may be an expression.
    pub(crate) fn of(self, list: impl Into<Bson>) -> Bson {
        doc! { "w": self.word(), "l": list.into() }.into()
    }
}

/// The form of a value as `jsonb` prints it, which may be an expression.
pub(crate) fn plain(value: Bson) -> Bson {
    doc! { "v": value }.into()
}

/// The form of an array or a record, which may be an expression.
pub(crate) fn compact(value: Bson) -> Bson {
    doc! { "c": value }.into()
}

/// A member of an object as its form has it.
pub(crate) fn member(name: &str, form: Bson) -> Bson {
    doc! { "k": name, "e": form }.into()
}

/// The same as an expression.
pub(crate) fn member_made(name: &str, form: Bson) -> Bson {
    doc! { "k": constant(name), "e": form }.into()
}

/// The text of JSON as columns have it.
pub(crate) fn text(parts: &Document) -> String {
    let mut out = String::new();
    push_parts(parts, &mut out);
    out
}

fn push(form: &Bson, out: &mut String) {
    match form {
        Bson::String(text) => out.push_str(text),
        Bson::Document(parts) => push_parts(parts, out),
        _ => out.push_str("null"),
    }
}

fn push_parts(parts: &Document, out: &mut String) {
    if let Some(form) = parts.get("t") {
        return push(form, out);
    }
    if let Some(value) = parts.get("c") {
        return json::push_compact(value, out);
    }
    match (parts.get_array("l"), parts.get_str("w")) {
        (Ok(list), Ok(word)) => push_list(list, Way::ALL.into_iter().find(|way| way.word() == word), out),
        _ => json::push(parts.get("v").unwrap_or(&Bson::Null), out),
    }
}

fn push_list(list: &[Bson], way: Option<Way>, out: &mut String) {
    let [before, between, behind, naming] = way.unwrap_or(Way::Array).signs();
    out.push_str(before);
    for (at, one) in list.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        match one.as_document().and_then(|one| Some((one.get_str("k").ok()?, one.get("e")))) {
            Some((name, form)) => {
                push_string(out, name);
                out.push_str(naming);
                push(form.unwrap_or(&Bson::Null), out);
            }
            None => {
                if at > 0 && way == Some(Way::Lines) && !is_null(one) {
                    out.push_str("\n ");
                }
                push(one, out);
            }
        }
    }
    out.push_str(behind);
}

/// Whether a form is that of no value.
fn is_null(form: &Bson) -> bool {
    let Bson::Document(parts) = form else { return *form == Bson::Null };
    let none = |name: &str| matches!(parts.get(name), None | Some(Bson::Null));
    none("t") && none("c") && none("l") && none("v")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_written_as_postgres_writes_json() {
        let row = |id: i64| Way::Row.of(vec![member("id", plain(id.into())), member("x", plain(Bson::Null))]);
        let given = doc! { "v": { "a": 1_i64 }, "t": "{\"a\" :  0, \"a\":1}" };
        for (form, text) in [
            (
                Way::Object.of(vec![member("a", plain(1_i64.into())), member("a", given.into())]),
                "{\"a\" : 1, \"a\" : {\"a\" :  0, \"a\":1}}",
            ),
            (Way::Gathered.of(vec![member("\"", plain(vec![1_i64, 2].into()))]), "{ \"\\\"\" : [1, 2] }"),
            (Way::Object.of(Vec::<Bson>::new()), "{}"),
            (
                Way::Lines.of(vec![row(1), plain(Bson::Null), row(2)]),
                "[{\"id\":1,\"x\":null}, null, \n {\"id\":2,\"x\":null}]",
            ),
            (
                Way::Array.of(vec![compact(vec!["a", "b"].into()), plain(doc! { "a": 1_i64 }.into())]),
                "[[\"a\",\"b\"], {\"a\": 1}]",
            ),
        ] {
            assert_eq!(super::text(&doc! { "v": Bson::Null, "t": form }), text);
        }
    }
}
