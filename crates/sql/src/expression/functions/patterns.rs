//! What regular expressions find in texts, and put into their place
//! (<https://www.postgresql.org/docs/15/functions-matching.html#FUNCTIONS-POSIX-REGEXP>).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::arrays::{NULL, array};
use super::{integer, of_bool, text};
use crate::pattern::{Flags, Places, places, similar};

/// Expressions that a thread keeps compiled.
const KEPT: usize = 16;

/// How long one call may look through a text: what is found often, each time far behind where it begins,
/// takes time that grows with the square of the text.
const LONGEST: Duration = Duration::from_secs(2);

type Kept = ((String, String), Rc<Places>);

thread_local! {
    static COMPILED: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The expression, and whether all of its matches are wanted.
fn compiled(pattern: &str, letters: &str) -> Result<(Rc<Places>, bool)> {
    let flags = Flags::read(letters)?;
    COMPILED.with_borrow_mut(|kept| {
        let place = kept.iter().position(|((one, other), _)| one == pattern && other == letters);
        let entry = match place {
            Some(place) => kept.remove(place),
            None => ((pattern.to_owned(), letters.to_owned()), Rc::new(places(pattern, flags)?)),
        };
        let found = Rc::clone(&entry.1);
        kept.truncate(KEPT - 1);
        kept.insert(0, entry);
        Ok((found, flags.global))
    })
}

/// Matches one after the other, as long as that may take.
fn matches(
    places: &Places,
    text: &str,
    from: usize,
    mut each: impl FnMut(&[Option<(usize, usize)>]) -> bool,
) -> Result<()> {
    let began = Instant::now();
    for found in places.within(text, from) {
        if !each(&found) {
            break;
        }
        if began.elapsed() > LONGEST {
            let message = "a regular expression took too long for this text";
            return Err(Error::new(ErrorKind::TooLarge, "54000", message));
        }
    }
    Ok(())
}

/// The byte at which a character stands, counted from 1; `None` beyond the text's end.
fn byte_at(text: &str, character: i64) -> Result<Option<usize>> {
    if character < 1 {
        return Err(invalid("start", character));
    }
    let before = usize::try_from(character - 1).unwrap_or(usize::MAX);
    let mut places = text.char_indices().map(|(place, _)| place).chain([text.len()]);
    Ok(places.nth(before))
}

fn invalid(parameter: &str, value: i64) -> Error {
    let message = format!("invalid value for parameter \"{parameter}\": {value}");
    Error::new(ErrorKind::InvalidInput, "22023", message)
}

fn not_global(function: &str) -> Error {
    let message = format!("{function}() does not support the \"global\" option");
    Error::new(ErrorKind::InvalidInput, "22023", message)
}

/// `regexp_replace(text, pattern, replacement, start, n, flags)`: `n` is 0 for all matches, and negative
/// where the flags say whether it is all or the first.
pub(super) fn replace(arguments: &[Value]) -> Result<Value> {
    let (whole, replacement) = (text(arguments, 0)?, text(arguments, 2)?);
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 5)?)?;
    let wanted = match integer(arguments, 4)? {
        number if number < 0 => i64::from(!global),
        number => number,
    };
    let Some(from) = byte_at(whole, integer(arguments, 3)?)? else {
        return Ok(Value::Text(whole.to_owned()));
    };
    let (mut out, mut done, mut number) = (String::new(), 0, 0);
    matches(&places, whole, from, |found| {
        number += 1;
        if let Some((start, end)) = found[0]
            && (wanted == 0 || number == wanted)
        {
            out.push_str(&whole[done..start]);
            put(&mut out, replacement, whole, found);
            done = end;
        }
        wanted == 0 || number < wanted
    })?;
    out.push_str(&whole[done..]);
    Ok(Value::Text(out))
}

/// A replacement, in which `\1` to `\9` and `\&` are what was found.
fn put(out: &mut String, replacement: &str, whole: &str, found: &[Option<(usize, usize)>]) {
    let mut rest = replacement;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let sign = behind.chars().next();
        let group = match sign {
            Some('&') => Some(0),
            Some(digit @ '1'..='9') => digit.to_digit(10),
            _ => None,
        };
        rest = match (group, sign) {
            (Some(group), _) => {
                let part = found.get(group as usize).copied().flatten();
                out.push_str(part.map_or("", |(start, end)| &whole[start..end]));
                &behind[1..]
            }
            (None, Some('\\')) => {
                out.push('\\');
                &behind[1..]
            }
            // One that means nothing is itself.
            (None, _) => {
                out.push('\\');
                behind
            }
        };
    }
    out.push_str(rest);
}

/// `regexp_match(text, pattern, flags)`: what the parentheses hold, or the whole match where there are none.
pub(super) fn first(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 2)?)?;
    if global {
        return Err(not_global("regexp_match").with_hint("Use the regexp_matches function instead."));
    }
    let mut groups = Value::Null;
    matches(&places, whole, 0, |found| {
        groups = held(whole, found);
        false
    })?;
    Ok(groups)
}

/// What the parentheses of a match hold, or all of it where there are none, as an array.
fn held(whole: &str, found: &[Option<(usize, usize)>]) -> Value {
    let shown = |part: &Option<(usize, usize)>| match part {
        Some((start, end)) => Value::Text(whole[*start..*end].to_owned()).to_json(),
        None => NULL.to_owned(),
    };
    let held = if found.len() > 1 { &found[1..] } else { found };
    array(&held.iter().map(shown).collect::<Vec<_>>())
}

/// `regexp_matches(text, pattern, flags)`: the rows that it gives, as one array.
pub(super) fn all(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 2)?)?;
    let mut rows = Vec::new();
    matches(&places, whole, 0, |found| {
        if let Value::Text(row) = held(whole, found) {
            rows.push(row);
        }
        global
    })?;
    Ok(array(&rows))
}

/// `regexp_split_to_array(text, pattern, flags)`. Nothing divides at the ends of a text, nor right behind
/// the match before.
pub(super) fn split(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 2)?)?;
    if global {
        return Err(not_global("regexp_split_to_array"));
    }
    let (mut parts, mut done) = (Vec::new(), 0);
    let part = |start: usize, end: usize| Value::Text(whole[start..end].to_owned()).to_json();
    matches(&places, whole, 0, |found| {
        if let Some((start, end)) = found[0]
            && start < whole.len()
            && end > done
        {
            parts.push(part(done, start));
            done = end;
        }
        true
    })?;
    parts.push(part(done, whole.len()));
    Ok(array(&parts))
}

/// `regexp_count(text, pattern, start, flags)`.
pub(super) fn count(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 3)?)?;
    if global {
        return Err(not_global("regexp_count"));
    }
    let mut number = 0;
    if let Some(from) = byte_at(whole, integer(arguments, 2)?)? {
        matches(&places, whole, from, |_| {
            number += 1;
            true
        })?;
    }
    Ok(Value::Int(number))
}

/// `regexp_like(text, pattern, flags)`.
pub(super) fn like(arguments: &[Value]) -> Result<Value> {
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 2)?)?;
    if global {
        return Err(not_global("regexp_like"));
    }
    Ok(of_bool(places.is_match(text(arguments, 0)?)))
}

/// `regexp_substr(text, pattern, start, n, flags, subexpression)`.
pub(super) fn substring(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, global) = compiled(text(arguments, 1)?, text(arguments, 4)?)?;
    if global {
        return Err(not_global("regexp_substr"));
    }
    let (wanted, group) = (integer(arguments, 3)?, integer(arguments, 5)?);
    if wanted < 1 {
        return Err(invalid("n", wanted));
    }
    let group = usize::try_from(group).map_err(|_| invalid("subexpr", group))?;
    let Some(from) = byte_at(whole, integer(arguments, 2)?)? else { return Ok(Value::Null) };
    let (mut number, mut part) = (0, None);
    matches(&places, whole, from, |found| {
        number += 1;
        part = if number == wanted { found.get(group).copied().flatten() } else { None };
        number < wanted
    })?;
    Ok(part.map_or(Value::Null, |(start, end)| Value::Text(whole[start..end].to_owned())))
}

/// `substring(text from pattern)`: what the first parentheses hold, or the whole match where there are none.
pub(super) fn found(arguments: &[Value]) -> Result<Value> {
    let whole = text(arguments, 0)?;
    let (places, _) = compiled(text(arguments, 1)?, "")?;
    let group = places.groups().min(1);
    let found = places.within(whole, 0).next();
    let part = found.and_then(|found| found.get(group).copied().flatten());
    Ok(part.map_or(Value::Null, |(start, end)| Value::Text(whole[start..end].to_owned())))
}

/// `text similar to pattern escape character`
pub(super) fn similar_to(arguments: &[Value]) -> Result<Value> {
    let (places, _) = compiled(&similar(text(arguments, 1)?, text(arguments, 2)?)?, "")?;
    Ok(of_bool(places.is_match(text(arguments, 0)?)))
}
