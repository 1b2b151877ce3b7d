//! `create cast` and `drop cast`: how values of domains are shown and read. PostgreSQL itself takes no
//! notice of casts of domains; PostgREST does.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Cast, CastDirection, Catalog, Function, TableName};

use super::functions::spelled;
use super::own::{Own, Words, unreadable};
use super::type_names::{enum_table, type_named};
use super::{fault, shown};

/// A cast as a statement has it, its types as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    source: String,
    target: String,
    function: TableName,
    /// The types of the function's parameters; any if they are not given.
    parameters: Option<Vec<String>>,
}

/// What is left of a `drop cast`.
#[derive(Clone, Debug)]
pub(crate) struct Dropped {
    source: String,
    target: String,
    if_exists: bool,
}

pub(super) fn create(words: &mut Words<'_>) -> Result<Own, String> {
    let (source, target) = types(words).ok_or_else(|| unreadable("cast"))?;
    if !words.skip(&["with", "function"]) {
        return Err(without_effect());
    }
    let function = words.relation().ok_or_else(|| unreadable("cast"))?;
    let parameters = match words.take_token(&Token::LParen) {
        true => Some(list(words).ok_or_else(|| unreadable("cast"))?),
        false => None,
    };
    if !words.skip(&["as", "implicit"]) {
        return Err(without_effect());
    }
    Ok(Own::CreateCast(Written { source, target, function, parameters }))
}

pub(super) fn remove(words: &mut Words<'_>) -> Result<Own, String> {
    let if_exists = words.skip(&["if", "exists"]);
    let (source, target) = types(words).ok_or_else(|| unreadable("cast"))?;
    Ok(Own::DropCast(Dropped { source, target, if_exists }))
}

fn without_effect() -> String {
    "only a cast \"with function … as implicit\" says how values of a domain are shown and read: \
     leave this one out"
        .into()
}

/// `(source as target)`
fn types(words: &mut Words<'_>) -> Option<(String, String)> {
    if !words.take_token(&Token::LParen) {
        return None;
    }
    let source = until(words, |words| words.take("as"))?;
    let target = until(words, |words| words.take_token(&Token::RParen))?;
    Some((source, target))
}

/// Types with commas between them, up to the parenthesis that closes.
fn list(words: &mut Words<'_>) -> Option<Vec<String>> {
    let mut types = Vec::new();
    let mut ended = words.take_token(&Token::RParen);
    while !ended {
        types.push(until(words, |words| {
            ended = words.take_token(&Token::RParen);
            ended || words.take_token(&Token::Comma)
        })?);
    }
    Some(types)
}

/// The type that is written before something.
fn until<'t>(words: &mut Words<'t>, mut ends: impl FnMut(&mut Words<'t>) -> bool) -> Option<String> {
    let (mut text, mut depth) = (String::new(), 0_usize);
    while depth > 0 || !ends(words) {
        let token = words.next()?;
        depth += usize::from(*token == Token::LParen);
        depth = depth.saturating_sub(usize::from(*token == Token::RParen));
        let joined = text.ends_with('.') || *token == Token::Period || text.is_empty();
        text.push_str(if joined { "" } else { " " });
        text.push_str(&token.to_string());
    }
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).ok()?;
    parser.parse_data_type().ok().map(|data_type| spelled(&data_type))
}

/// What a name of a type means.
#[derive(PartialEq)]
enum Meant<'c> {
    Domain(&'c TableName),
    Type(Type),
}

fn meant<'c>(catalog: &'c Catalog, written: &str) -> Meant<'c> {
    match catalog.domains.get_key_value(&enum_table(&written.replace('"', ""))) {
        Some((domain, _)) => Meant::Domain(domain),
        None => Meant::Type(type_named(catalog, written)),
    }
}

pub(super) fn apply(catalog: &mut Catalog, cast: &Written) -> Result<()> {
    let (domain, direction) = direction(catalog, &cast.source, &cast.target)?;
    let function = function(catalog, cast)?;
    let new = Cast {
        domain,
        direction,
        function: function.name.clone(),
        parameter: function.parameters[0].type_name.clone(),
    };
    if catalog.casts.iter().any(|known| known.domain == new.domain && known.direction == direction) {
        let text = format!("cast from type {} to type {} already exists", cast.source, cast.target);
        return Err(fault("42710", text));
    }
    catalog.casts.push(new);
    Ok(())
}

pub(super) fn drop(catalog: &mut Catalog, cast: &Dropped) -> Result<()> {
    let Dropped { source, target, if_exists } = cast;
    let missing = || fault("42704", format!("cast from type {source} to type {target} does not exist"));
    let place = match direction(catalog, source, target) {
        Ok((domain, direction)) => {
            catalog.casts.iter().position(|one| one.domain == domain && one.direction == direction)
        }
        Err(_) => None,
    };
    match place {
        Some(place) => {
            catalog.casts.remove(place);
            Ok(())
        }
        None if *if_exists => Ok(()),
        None => Err(missing()),
    }
}

/// The domain of a cast, and from or to what it is cast.
fn direction(catalog: &Catalog, source: &str, target: &str) -> Result<(TableName, CastDirection)> {
    use CastDirection::{FromJson, FromText, ToJson, ToText};
    let (domain, direction) = match (meant(catalog, source), meant(catalog, target)) {
        (Meant::Domain(domain), Meant::Type(Type::Json)) => (domain, ToJson),
        (Meant::Domain(domain), Meant::Type(Type::Text)) => (domain, ToText),
        (Meant::Type(Type::Json), Meant::Domain(domain)) => (domain, FromJson),
        (Meant::Type(Type::Text), Meant::Domain(domain)) => (domain, FromText),
        _ => {
            let message = format!(
                "a cast from {source} to {target} runs on PostgreSQL only: casts are kept between a domain \
                 and json or text"
            );
            return Err(Error::unsupported(message));
        }
    };
    Ok((domain.clone(), direction))
}

/// The function of a new cast, which takes one value.
fn function<'c>(catalog: &'c Catalog, cast: &Written) -> Result<&'c Function> {
    let wrong = |text: &str| Err(fault("42P17", text.into()));
    let named = catalog.functions.iter().filter(|function| function.name == cast.function);
    let is_meant = |function: &&Function| match &cast.parameters {
        None => true,
        Some(types) => {
            let own = function.parameters.iter().map(|parameter| meant(catalog, &parameter.type_name));
            own.eq(types.iter().map(|written| meant(catalog, written)))
        }
    };
    let mut found = named.filter(is_meant);
    let Some(function) = found.next() else {
        let types = cast.parameters.as_deref().unwrap_or_default().join(", ");
        return Err(fault("42883", format!("function {}({types}) does not exist", shown(&cast.function))));
    };
    if found.next().is_some() {
        return Err(fault("42725", format!("function name \"{}\" is not unique", shown(&cast.function))));
    }
    let [parameter] = function.parameters.as_slice() else {
        return Err(Error::unsupported(
            "a cast by a function of more than the value runs on PostgreSQL only",
        ));
    };
    if function.returns.set {
        return wrong("cast function must not return a set");
    }
    // A domain's value is one of its base type as well.
    let (source, taken) = (meant(catalog, &cast.source), meant(catalog, &parameter.type_name));
    let base = type_named(catalog, &cast.source);
    if taken != source && taken != Meant::Type(base) {
        return wrong("argument of cast function must match or be binary-coercible from source data type");
    }
    if meant(catalog, &function.returns.type_name) != meant(catalog, &cast.target) {
        return wrong(
            "return data type of cast function must match or be binary-coercible to target data type",
        );
    }
    Ok(function)
}

/// A cast as statements name it: `cast color as json`.
pub(crate) fn ends(cast: &Cast, named: impl Fn(&TableName) -> String) -> (String, String) {
    let domain = named(&cast.domain);
    match cast.direction {
        CastDirection::ToJson => (domain, "json".into()),
        CastDirection::ToText => (domain, "text".into()),
        CastDirection::FromJson => ("json".into(), domain),
        CastDirection::FromText => ("text".into(), domain),
    }
}

/// Lets casts name a function by its new name.
pub(super) fn rename_function(catalog: &mut Catalog, from: &TableName, to: &str) {
    for cast in catalog.casts.iter_mut().filter(|cast| cast.function == *from) {
        cast.function.name = to.to_owned();
    }
}

/// Whether the domain or the function of a cast is there no longer.
pub(super) fn is_broken(catalog: &Catalog, cast: &Cast) -> bool {
    !catalog.domains.contains_key(&cast.domain) || catalog.cast_function(cast).is_none()
}

#[cfg(test)]
mod tests {
    use truststream_services::database::{AppliedMigration, Introspection};

    use super::*;

    const COLOR: &str = "create domain color as int;
        create function shown(color) returns json language sql as $$ select to_json($1) $$;
        create function color(json) returns color language sql as $$ select ($1 #>> '{}')::int $$;";

    fn applied(sql: &str) -> Result<Catalog> {
        let mut catalog = Catalog::default();
        for statement in crate::schema::parse(&format!("{COLOR}{sql}"))? {
            crate::schema::apply(&mut catalog, &statement)?;
        }
        Ok(catalog)
    }

    fn code(sql: &str) -> String {
        applied(sql).unwrap_err().code().to_owned()
    }

    const SHOWN: &str = "create cast (public.color as json) with function shown(color) as implicit;";
    const READ: &str = "create cast (json as color) with function public.color as implicit;";

    #[test]
    fn casts_are_kept_with_their_functions_and_written_again() {
        let catalog = applied(&format!("{SHOWN}{READ} create table t (a color, b int);")).unwrap();
        let table = &catalog.tables[0];
        let by = |column: usize, direction| {
            catalog
                .representation(&table.columns[column], direction)
                .map(|function| function.name.to_string())
        };
        assert_eq!(by(0, CastDirection::ToJson).as_deref(), Some("public.shown"));
        assert_eq!(by(0, CastDirection::FromJson).as_deref(), Some("public.color"));
        assert_eq!(by(0, CastDirection::FromText), None);
        assert_eq!(by(1, CastDirection::ToJson), None);
        let script = crate::render::script(&Introspection { catalog, ..Introspection::default() });
        assert!(
            script
                .contains("create cast (public.color as json) with function public.shown(color) as implicit"),
            "{script}"
        );
        assert!(
            script
                .contains("create cast (json as public.color) with function public.color(json) as implicit"),
            "{script}"
        );
    }

    #[test]
    fn wrong_casts_are_told_with_postgres_codes() {
        assert_eq!(code("create cast (color as json) with function none(color) as implicit"), "42883");
        assert_eq!(code("create cast (color as json) with function color(json) as implicit"), "42P17");
        assert_eq!(code("create cast (text as color) with function color(json) as implicit"), "42P17");
        assert_eq!(code(&format!("{SHOWN}{SHOWN}")), "42710");
        assert_eq!(code("create cast (int as text) with function shown(color) as implicit"), "0A000");
        assert_eq!(code("create cast (color as json) with function shown(color)"), "0A000");
        assert_eq!(code("create cast (color as json) with inout as implicit"), "0A000");
        assert_eq!(code("drop cast (color as json)"), "42704");
    }

    #[test]
    fn casts_go_with_what_they_are_made_of() {
        assert!(applied(&format!("{SHOWN} drop cast (color as json)")).unwrap().casts.is_empty());
        assert!(applied("drop cast if exists (color as json)").is_ok());
        assert_eq!(code(&format!("{SHOWN} drop function shown(color)")), "2BP01");
        assert!(applied(&format!("{SHOWN} drop function shown(color) cascade")).unwrap().casts.is_empty());
        assert_eq!(code(&format!("{SHOWN} drop domain color")), "2BP01");
        assert!(applied(&format!("{SHOWN}{READ} drop domain color cascade")).unwrap().casts.is_empty());
        let renamed = applied(&format!("{SHOWN} alter function shown(color) rename to told")).unwrap();
        assert_eq!(renamed.casts[0].function, TableName::public("told"));
    }

    #[test]
    fn what_no_query_can_call_is_refused_with_its_line() {
        let sql = "create domain color as int;
            create function shown(color) returns json language plpgsql as $$
            begin
              for i in 1..3 loop perform i; end loop;
              return to_json($1);
            end $$;
            create cast (color as json) with function shown(color) as implicit;";
        let migration = AppliedMigration { name: "1.sql".into(), sql: sql.into() };
        let problems = crate::sqlite::review(&Catalog::default(), &[migration]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].line, 7);
        assert!(problems[0].reason.starts_with("cast from public.color to json: "), "{problems:?}");
    }
}
