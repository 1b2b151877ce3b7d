//! Conditions: `eq.7`, `not.in.(1,2)`, `or=(a.eq.1,not.and(b.gt.2,c.is.null))`.

use truststream_kernel::Result;

use super::cursor::Cursor;
use super::name::field;
use crate::database::{Comparison, Field, Filter, FullTextParser, Is, Operand, Operator, Quantifier};

/// Deepest nesting of logic trees.
const DEEPEST: usize = 64;
/// Most conditions of one group.
const WIDEST: usize = 1000;
/// What can stand in a logic tree.
const MEMBER: &str = "field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)";

/// Parses the right side of a condition on `field`, such as `not.gte.7`.
///
/// # Errors
/// PGRST100.
pub fn parse_condition(field: Field, text: &str) -> Result<Filter> {
    let mut cursor = Cursor::new("filter", text);
    let filter = condition(&mut cursor, field, false)?;
    cursor.end("end of input")?;
    Ok(filter)
}

/// Parses a logic tree such as `(a.eq.1,b.is.null)`, joined by `and` (or else by `or`).
///
/// # Errors
/// PGRST100.
pub fn parse_logic(and: bool, text: &str) -> Result<Filter> {
    // Columns are counted from the operator on, which stands before the value in PostgREST's errors.
    let mut cursor = Cursor::new("logic tree", text).behind(if and { 3 } else { 2 });
    // What comes behind a whole tree (a parenthesis too many) is passed over, as PostgREST does.
    group(&mut cursor, and, 0)
}

fn group(cursor: &mut Cursor<'_>, and: bool, depth: usize) -> Result<Filter> {
    if depth > DEEPEST {
        return Err(cursor.beyond(DEEPEST, "conditions inside one another"));
    }
    skip_spaces(cursor);
    if !cursor.take("(") {
        return Err(cursor.expected("\"(\""));
    }
    let mut members = Vec::new();
    loop {
        skip_spaces(cursor);
        members.push(member(cursor, depth)?);
        if members.len() > WIDEST {
            return Err(cursor.beyond(WIDEST, "conditions side by side"));
        }
        skip_spaces(cursor);
        if cursor.take(")") {
            return Ok(if and { Filter::And(members) } else { Filter::Or(members) });
        }
        if !cursor.take(",") {
            return Err(cursor.expected("\",\" or \")\""));
        }
    }
}

fn skip_spaces(cursor: &mut Cursor<'_>) {
    cursor.take_while(char::is_whitespace);
}

fn member(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter> {
    let before = *cursor;
    let negated = cursor.take("not.");
    for (word, and) in [("and", true), ("or", false)] {
        let mut ahead = *cursor;
        if !ahead.take(word) {
            continue;
        }
        skip_spaces(&mut ahead);
        if ahead.peek() == Some('(') {
            *cursor = ahead;
            let filter = group(cursor, and, depth + 1)?;
            return Ok(if negated { filter.negated() } else { filter });
        }
    }
    *cursor = before;
    if matches!(cursor.peek(), None | Some(')' | ',')) {
        return Err(cursor.expected(MEMBER));
    }
    let field = field(cursor)?;
    if !cursor.take(".") {
        return Err(cursor.expected("\".\""));
    }
    condition(cursor, field, true)
}

/// Reads `[not.]operator[(modifier)].operand`. Inside a logic tree the operand ends at `,` or `)`.
fn condition(cursor: &mut Cursor<'_>, field: Field, nested: bool) -> Result<Filter> {
    let negated = cursor.take("not.");
    let word_at = *cursor;
    let word = cursor.take_while(|c| c.is_ascii_alphabetic());
    let Some(operator) = operator(word) else {
        *cursor = word_at;
        return Err(cursor.expected("\"not\" or operator (eq, gt, ...)"));
    };
    let (operator, quantifier) = modifier(cursor, operator)?;
    if !cursor.take(".") {
        return Err(cursor.expected("\".\""));
    }
    let operand = match &operator {
        Operator::In => Operand::List(list(cursor)?),
        Operator::Is => Operand::Is(is(cursor, nested)?),
        Operator::Like | Operator::Ilike => Operand::Text(text(cursor, nested)?.replace('*', "%")),
        Operator::FullText(FullTextParser::Raw, _) => {
            let query = text(cursor, nested)?;
            if nesting(&query) > DEEPEST {
                return Err(cursor.beyond(DEEPEST, "parentheses and negations inside one another"));
            }
            Operand::Text(query)
        }
        _ => Operand::Text(text(cursor, nested)?),
    };
    let filter = Filter::Compare(Comparison { field, operator, quantifier, operand });
    Ok(if negated { filter.negated() } else { filter })
}

/// How deep the operators of a full-text query are nested.
fn nesting(query: &str) -> usize {
    let (mut open, mut negations, mut deepest) = (0_usize, 0_usize, 0);
    for letter in query.chars() {
        match letter {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            '!' => negations += 1,
            letter if letter.is_whitespace() => {}
            _ => negations = 0,
        }
        deepest = deepest.max(open + negations);
    }
    deepest
}

fn operator(word: &str) -> Option<Operator> {
    Some(match word {
        "eq" => Operator::Eq,
        "neq" => Operator::Neq,
        "gt" => Operator::Gt,
        "gte" => Operator::Gte,
        "lt" => Operator::Lt,
        "lte" => Operator::Lte,
        "like" => Operator::Like,
        "ilike" => Operator::Ilike,
        "match" => Operator::Match,
        "imatch" => Operator::Imatch,
        "is" => Operator::Is,
        "isdistinct" => Operator::IsDistinct,
        "in" => Operator::In,
        "cs" => Operator::Contains,
        "cd" => Operator::ContainedBy,
        "ov" => Operator::Overlaps,
        "sl" => Operator::StrictlyLeft,
        "sr" => Operator::StrictlyRight,
        "nxr" => Operator::NotRight,
        "nxl" => Operator::NotLeft,
        "adj" => Operator::Adjacent,
        "fts" => Operator::FullText(FullTextParser::Raw, None),
        "plfts" => Operator::FullText(FullTextParser::Plain, None),
        "phfts" => Operator::FullText(FullTextParser::Phrase, None),
        "wfts" => Operator::FullText(FullTextParser::Websearch, None),
        _ => return None,
    })
}

/// `(any)`, `(all)`, or the text-search configuration in parentheses.
fn modifier(cursor: &mut Cursor<'_>, operator: Operator) -> Result<(Operator, Option<Quantifier>)> {
    let before = *cursor;
    if !cursor.take("(") {
        return Ok((operator, None));
    }
    let word = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '$'));
    if word.is_empty() {
        return Err(cursor.expected("letter, digit, \"_\", \" \" or \"$\""));
    }
    let modified = match operator {
        Operator::FullText(parser, _) => (Operator::FullText(parser, Some(word.to_owned())), None),
        operator if is_quantifiable(&operator) => match word {
            "any" => (operator, Some(Quantifier::Any)),
            "all" => (operator, Some(Quantifier::All)),
            _ => return Err(cursor.expected("\"any\" or \"all\"")),
        },
        _ => {
            *cursor = before;
            return Err(cursor.expected("\".\""));
        }
    };
    if cursor.take(")") { Ok(modified) } else { Err(cursor.expected("\")\"")) }
}

fn is_quantifiable(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::Gt
            | Operator::Gte
            | Operator::Lt
            | Operator::Lte
            | Operator::Like
            | Operator::Ilike
            | Operator::Match
            | Operator::Imatch
    )
}

/// Outside a logic tree everything is the literal; inside, it is quoted, an array literal in
/// braces, or what comes before `,` or `)`.
fn text(cursor: &mut Cursor<'_>, nested: bool) -> Result<String> {
    if !nested {
        return Ok(cursor.take_rest().to_owned());
    }
    let ends = |cursor: &Cursor<'_>| matches!(cursor.peek(), Some(',' | ')'));
    if cursor.peek() == Some('"') {
        let mut ahead = *cursor;
        if let Ok(text) = ahead.quoted()
            && ends(&ahead)
        {
            *cursor = ahead;
            return Ok(text);
        }
    }
    if cursor.peek() == Some('{') {
        let mut ahead = *cursor;
        let inner = ahead.take_while(|c| c != '}');
        if ahead.take("}") && ends(&ahead) {
            let text = format!("{inner}}}");
            *cursor = ahead;
            return Ok(text);
        }
    }
    Ok(cursor.take_while(|c| c != ',' && c != ')').to_owned())
}

/// `(1,"a,b",c)`
fn list(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    skip_spaces(cursor);
    if !cursor.take("(") {
        return Err(cursor.expected("\"(\""));
    }
    skip_spaces(cursor);
    let (mut elements, mut alone) = (Vec::new(), true);
    if cursor.take(")") {
        return Ok(elements);
    }
    loop {
        elements.push(element(cursor)?);
        if cursor.take(")") {
            // One empty text is no text, as PostgREST has it.
            elements.retain(|element| !(alone && element.is_empty()));
            return Ok(elements);
        }
        alone = false;
        if !cursor.take(",") {
            return Err(cursor.expected("\",\" or \")\""));
        }
    }
}

fn element(cursor: &mut Cursor<'_>) -> Result<String> {
    if cursor.peek() == Some('"') {
        let mut ahead = *cursor;
        if let Ok(text) = ahead.quoted()
            && matches!(ahead.peek(), Some(',' | ')'))
        {
            *cursor = ahead;
            return Ok(text);
        }
    }
    Ok(cursor.take_while(|c| c != ',' && c != ')').to_owned())
}

fn is(cursor: &mut Cursor<'_>, nested: bool) -> Result<Is> {
    let at = *cursor;
    let word = if nested { cursor.take_while(|c| c != ',' && c != ')') } else { cursor.take_rest() };
    Ok(match word.to_ascii_lowercase().as_str() {
        "null" => Is::Null,
        "not_null" => Is::NotNull,
        "true" => Is::True,
        "false" => Is::False,
        "unknown" => Is::Unknown,
        _ => return Err(at.expected("isVal: (null, not_null, true, false, unknown)")),
    })
}
