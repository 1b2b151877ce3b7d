//! Conditions as text.

use truststream_kernel::{Error, Result};

use super::render::wordless;
use super::render_name::{field, is_plain, quoted};
use crate::database::{Comparison, Filter, Is, Operand, Operator, Quantifier};

/// The members of a logic tree: `(a.eq.1,not.or(b.is.null,c.gt.2))`.
pub(super) fn group(members: &[Filter]) -> Result<String> {
    if members.is_empty() {
        return Err(wordless("a logic tree without members"));
    }
    let members: Vec<_> = members.iter().map(|filter| member(filter, false)).collect::<Result<_>>()?;
    Ok(format!("({})", members.join(",")))
}

fn member(filter: &Filter, negated: bool) -> Result<String> {
    let not = if negated { "not." } else { "" };
    match filter {
        Filter::And(members) => Ok(format!("{not}and{}", group(members)?)),
        Filter::Or(members) => Ok(format!("{not}or{}", group(members)?)),
        Filter::Not(inner) => member(inner, !negated),
        Filter::Compare(comparison) => {
            Ok(format!("{}.{}", field(&comparison.field), condition(comparison, negated, true)?))
        }
    }
}

/// The right side of a condition: `not.eq.7`. Inside a logic tree the operand is quoted where it
/// would end too early.
pub(super) fn condition(comparison: &Comparison, negated: bool, nested: bool) -> Result<String> {
    let not = if negated { "not." } else { "" };
    let operator = operator(&comparison.operator)?;
    let quantifier = match comparison.quantifier {
        Some(Quantifier::Any) => "(any)",
        Some(Quantifier::All) => "(all)",
        None => "",
    };
    let operand = match (&comparison.operator, &comparison.operand) {
        // Alone it would be no text at all.
        (Operator::In, Operand::List(elements)) if *elements == [String::new()] => r#"("","")"#.to_owned(),
        (Operator::In, Operand::List(elements)) => {
            format!("({})", elements.iter().map(|text| literal(text)).collect::<Vec<_>>().join(","))
        }
        (Operator::Is, Operand::Is(is)) => is_word(*is).to_owned(),
        (Operator::In | Operator::Is, _) | (_, Operand::List(_) | Operand::Is(_)) => {
            return Err(Error::internal("a comparison with an operand of another operator"));
        }
        (Operator::Like | Operator::Ilike, Operand::Text(text)) if text.contains('*') => {
            return Err(wordless("a pattern with an asterisk of its own"));
        }
        (_, Operand::Text(text)) if nested => literal(text),
        (_, Operand::Text(text)) => text.clone(),
    };
    Ok(format!("{not}{operator}{quantifier}.{operand}"))
}

fn literal(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_word(is: Is) -> &'static str {
    match is {
        Is::Null => "null",
        Is::NotNull => "not_null",
        Is::True => "true",
        Is::False => "false",
        Is::Unknown => "unknown",
    }
}

fn operator(operator: &Operator) -> Result<String> {
    let word = operator.word();
    let Operator::FullText(_, configuration) = operator else { return Ok(word.to_owned()) };
    match configuration.as_deref() {
        None => Ok(word.to_owned()),
        Some(name) if is_plain(name) => Ok(format!("{word}({name})")),
        Some(_) => Err(wordless("a text-search configuration of such a name")),
    }
}
