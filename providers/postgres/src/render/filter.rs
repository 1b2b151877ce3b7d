//! Conditions on rows.

use truststream_kernel::Type;
use truststream_services::database::{
    Comparison, Field, Filter, FullTextParser, Is, Operand, Operator, Quantifier,
};
use truststream_sql::quote::quote;

use super::{fields, read};
use crate::plan::{Node, absence};
use crate::schema::Schema;
use crate::sql::Sql;

/// What conditions are rendered for.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) schema: &'p Schema,
    pub(super) node: &'p Node<'p>,
    /// Embeds are not joined here: their presence is asked for by a query of its own.
    pub(super) counting: bool,
}

/// A condition, without `WHERE`.
pub(super) fn filter(sql: &mut Sql, place: Place<'_>, condition: &Filter) {
    match condition {
        Filter::And(all) => group(sql, place, all, " AND ", "TRUE"),
        Filter::Or(any) => group(sql, place, any, " OR ", "FALSE"),
        Filter::Not(inner) => match absence(place.node, inner) {
            Some(_) => presence(sql, place, inner, true),
            None => {
                sql.push("NOT ");
                filter(sql, place, inner);
            }
        },
        Filter::Compare(comparison) => match absence(place.node, condition) {
            Some(_) => presence(sql, place, condition, false),
            None => compare(sql, place, comparison),
        },
    }
}

fn group(sql: &mut Sql, place: Place<'_>, all: &[Filter], between: &str, none: &str) {
    if all.is_empty() {
        sql.push(none);
        return;
    }
    sql.push("(").list(all, between, |sql, one| filter(sql, place, one)).push(")");
}

/// `clients=is.null` and its negation, on an embed.
fn presence(sql: &mut Sql, place: Place<'_>, condition: &Filter, negated: bool) {
    let Some((embedded, absent)) = absence(place.node, condition) else { return };
    let absent = absent != negated;
    if place.counting {
        sql.push(if absent { "NOT EXISTS (" } else { "EXISTS (" });
        read::count_rows(sql, place.schema, &embedded.node, Some((place.node, embedded)));
        sql.push(")");
    } else {
        sql.name(&embedded.joined);
        sql.push(if absent { " IS NOT DISTINCT FROM NULL" } else { " IS DISTINCT FROM NULL" });
    }
}

fn compare(sql: &mut Sql, place: Place<'_>, comparison: &Comparison) {
    let ty = column_type(place.node, &comparison.field).filter(|_| comparison.field.path.is_empty());
    let parser = ty.and_then(|ty| place.schema.representation("text", ty));
    left_side(sql, place.node, comparison);
    match (&comparison.operator, &comparison.operand) {
        (Operator::Is, Operand::Is(is)) => {
            sql.push(is_text(*is));
        }
        (Operator::In, Operand::List(list)) => member(sql, list, parser),
        (Operator::FullText(parser, configuration), Operand::Text(text)) => {
            sql.push(full_text(*parser)).push("(");
            if let Some(configuration) = configuration {
                sql.bind(configuration.clone()).push(", ");
            }
            sql.bind(text.clone()).push(")");
        }
        (operator, operand) => {
            let text = match operand {
                Operand::Text(text) => text.clone(),
                Operand::List(list) => array_literal(list),
                Operand::Is(_) => String::new(),
            };
            sql.push(symbol(operator));
            let parser = parser.filter(|_| !matches!(operator, Operator::Like | Operator::Ilike));
            quantified(sql, comparison.quantifier, parser, text);
        }
    }
}

fn left_side(sql: &mut Sql, node: &Node<'_>, comparison: &Comparison) {
    let field = &comparison.field;
    let column = node.known.and_then(|table| table.column(&field.name));
    // What is computed may be a tsvector already; a text is taken as one by itself.
    let converts =
        column.is_some_and(|column| column.ty != Type::parse("tsvector") || !field.path.is_empty());
    match &comparison.operator {
        Operator::FullText(_, configuration) if converts => {
            sql.push("to_tsvector(");
            if let Some(configuration) = configuration {
                sql.bind(configuration.clone()).push(", ");
            }
            fields::field(sql, node, &comparison.field);
            sql.push(")");
        }
        _ => fields::field(sql, node, &comparison.field),
    }
}

fn quantified(sql: &mut Sql, quantifier: Option<Quantifier>, parser: Option<&str>, text: String) {
    let (open, close) = match quantifier {
        None => ("", ""),
        Some(Quantifier::Any) => ("ANY(", ")"),
        Some(Quantifier::All) => ("ALL(", ")"),
    };
    sql.push(open);
    match parser {
        Some(function) => {
            sql.push(function).push("(").bind(text).push(")");
        }
        None => {
            sql.bind(text);
        }
    }
    sql.push(close);
}

/// An array takes any number of values with one statement, none included.
fn member(sql: &mut Sql, list: &[String], parser: Option<&str>) {
    match parser {
        _ if list.is_empty() => sql.push(" = ANY('{}')"),
        None => sql.push(" = ANY (").bind(array_literal(list)).push(")"),
        Some(function) => sql
            .push(" = ANY (SELECT ")
            .push(function)
            .push("(value) FROM unnest(")
            .bind(array_literal(list))
            .push("::text[]) AS value)"),
    };
}

/// `{"a","b"}`
pub(super) fn array_literal(list: &[String]) -> String {
    let mut out = String::from("{");
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        for c in value.chars().take_while(|c| *c != '\0') {
            if c == '"' || c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
    out
}

/// The type of a column as SQL, where the table is known to have it.
pub(super) fn column_type<'n>(node: &'n Node<'_>, field: &Field) -> Option<&'n str> {
    Some(node.known?.column(&field.name)?.type_name.as_str())
}

fn symbol(operator: &Operator) -> &'static str {
    match operator {
        Operator::Eq => " = ",
        Operator::Neq => " <> ",
        Operator::Gt => " > ",
        Operator::Gte => " >= ",
        Operator::Lt => " < ",
        Operator::Lte => " <= ",
        Operator::Like => " like ",
        Operator::Ilike => " ilike ",
        Operator::Match => " ~ ",
        Operator::Imatch => " ~* ",
        Operator::Is => " IS ",
        Operator::IsDistinct => " IS DISTINCT FROM ",
        Operator::In => " = ANY ",
        Operator::Contains => " @> ",
        Operator::ContainedBy => " <@ ",
        Operator::Overlaps => " && ",
        Operator::StrictlyLeft => " << ",
        Operator::StrictlyRight => " >> ",
        Operator::NotRight => " &< ",
        Operator::NotLeft => " &> ",
        Operator::Adjacent => " -|- ",
        Operator::FullText(..) => " @@ ",
    }
}

fn is_text(is: Is) -> &'static str {
    match is {
        Is::Null => " IS NULL",
        Is::NotNull => " IS NOT NULL",
        Is::True => " IS TRUE",
        Is::False => " IS FALSE",
        Is::Unknown => " IS UNKNOWN",
    }
}

fn full_text(parser: FullTextParser) -> &'static str {
    match parser {
        FullTextParser::Raw => " @@ to_tsquery",
        FullTextParser::Plain => " @@ plainto_tsquery",
        FullTextParser::Phrase => " @@ phraseto_tsquery",
        FullTextParser::Websearch => " @@ websearch_to_tsquery",
    }
}

/// `a = b`, both given as row and column.
pub(super) fn equal(sql: &mut Sql, left: (&str, &str), right: (&str, &str)) {
    sql.push(&format!("{}.{} = {}.{}", left.0, quote(left.1), right.0, quote(right.1)));
}

#[cfg(test)]
mod tests {
    use super::array_literal;

    #[test]
    fn array_literals_escape() {
        assert_eq!(array_literal(&["a".into(), "b\"\\c".into()]), r#"{"a","b\"\\c"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}
