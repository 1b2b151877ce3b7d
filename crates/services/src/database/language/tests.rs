use super::*;
use crate::database::{Comparison, Embed, Field, Filter, Is, Item, JsonKey, Operand, Operator, Quantifier};

fn parameters(text: &str) -> truststream_kernel::Result<Parameters> {
    let pairs: Vec<_> = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    parse_parameters(pairs.into_iter())
}

fn compare(filter: &Filter) -> &Comparison {
    match filter {
        Filter::Compare(comparison) => comparison,
        other => panic!("no comparison: {other:?}"),
    }
}

#[test]
fn a_select_list_has_columns_paths_casts_aliases_and_embeds() {
    let items = parse_select("*,title,year:info->a->>1::int,sum:price.sum()::text,count(),artist:artists!fk!inner(name),...label(*)").unwrap();
    assert_eq!(items.len(), 7);
    assert_eq!(items[1], Item::column("title"));
    let Item::Column { field, alias, cast, .. } = &items[2] else { panic!("{:?}", items[2]) };
    assert_eq!((alias.as_deref(), cast.as_deref()), (Some("year"), Some("int")));
    assert_eq!(field.path[0].key, JsonKey::Key("a".to_owned()));
    assert!(field.path[1].as_text && field.path[1].key == JsonKey::Index(1));
    let Item::Embed(Embed { relation, hint, inner, query, .. }) = &items[5] else { panic!("{:?}", items[5]) };
    assert_eq!((relation.as_str(), hint.as_deref(), *inner), ("artists", Some("fk"), true));
    assert_eq!(query.items, [Item::column("name")]);
    assert!(matches!(&items[6], Item::Embed(embed) if embed.spread));
}

#[test]
fn names_may_have_spaces_and_dashes_and_quotes() {
    let items = parse_select("my col,a-b,\"x,y\",a-b->c-d").unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Column { field, .. } => field.name.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["my col", "a-b", "x,y", "a-b"]);
}

#[test]
fn conditions_take_operators_modifiers_and_literals_as_they_are() {
    let parsed =
        parameters("a=eq.1,2)&b=not.is.null&c=like(any).{a*,b*}&d=fts(english).x&e->>k=in.(1,\"a,b\",)")
            .unwrap();
    let Some(Filter::And(all)) = parsed.query.filter else { panic!() };
    assert_eq!(compare(&all[0]).operand, Operand::Text("1,2)".to_owned()));
    assert_eq!(
        all[1],
        Filter::Compare(Comparison {
            field: Field::column("b"),
            operator: Operator::Is,
            quantifier: None,
            operand: Operand::Is(Is::Null)
        })
        .negated()
    );
    assert_eq!(compare(&all[2]).quantifier, Some(Quantifier::Any));
    assert_eq!(compare(&all[2]).operand, Operand::Text("{a%,b%}".to_owned()));
    assert!(
        matches!(&compare(&all[3]).operator, Operator::FullText(_, Some(configuration)) if configuration == "english")
    );
    assert_eq!(
        compare(&all[4]).operand,
        Operand::List(vec!["1".to_owned(), "a,b".to_owned(), String::new()])
    );
}

#[test]
fn logic_trees_nest() {
    let parsed = parameters("or=(a.eq.\"x,y\",not.and(b.gt.2,c.cs.{1,2}),d.in.(1,2))").unwrap();
    let Some(Filter::Or(any)) = parsed.query.filter else { panic!() };
    assert_eq!(compare(&any[0]).operand, Operand::Text("x,y".to_owned()));
    let Filter::Not(and) = &any[1] else { panic!("{:?}", any[1]) };
    let Filter::And(and) = &**and else { panic!() };
    assert_eq!(compare(&and[1]).operand, Operand::Text("{1,2}".to_owned()));
    assert_eq!(compare(&any[2]).operand, Operand::List(vec!["1".to_owned(), "2".to_owned()]));
}

#[test]
fn conditions_orders_and_limits_find_their_embed() {
    let parsed = parameters(
        "select=id,c:clients(id,p(id))&c.p.id=eq.1&c.order=id.desc.nullslast&c.p.limit=3&offset=2",
    )
    .unwrap();
    assert_eq!(parsed.query.offset, 2);
    let Item::Embed(clients) = &parsed.query.items[1] else { panic!() };
    assert!(clients.query.order[0].descending);
    let Item::Embed(p) = &clients.query.items[1] else { panic!() };
    assert_eq!((p.query.limit, p.query.filter.is_some()), (Some(3), true));
    assert_eq!(parameters("select=id&x.id=eq.1").unwrap_err().code(), "PGRST108");
}

#[test]
fn what_can_not_be_parsed_is_named() {
    for text in [
        "a=xx.1",
        "a=1",
        "select=a(",
        "select=a,,b",
        "or=(a.eq.1",
        "or=a.eq.1",
        "order=a.up",
        "limit=x",
        "a=is.7",
        "select=a::",
        "a=in.1",
        "=eq.1",
        "a=eq(some).1",
    ] {
        let error = parameters(text).unwrap_err();
        assert_eq!(error.code(), "PGRST100", "{text}");
        assert!(error.message().contains("failed to parse"), "{text}");
    }
    assert!(parse_select(&"a(".repeat(100)).is_err());
    assert!(parse_logic(true, &"(and".repeat(100)).is_err());
}

#[test]
fn errors_say_what_came_and_what_was_expected_as_postgrest_does() {
    for (text, message, details) in [
        (
            "id=1",
            "failed to parse filter (1)\" (line 1, column 1)",
            "unexpected \"1\" expecting \"not\" or operator (eq, gt, ...)",
        ),
        (
            "or=()",
            "failed to parse logic tree (())\" (line 1, column 4)",
            "unexpected \")\" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic \
             operator (and, or)",
        ),
        (
            "order=id.asc.nullslasttt",
            "failed to parse order (id.asc.nullslasttt)\" (line 1, column 17)",
            "unexpected 't' expecting \",\" or end of input",
        ),
    ] {
        let error = parameters(text).unwrap_err();
        assert_eq!(error.message(), format!("\"{message}"), "{text}");
        assert_eq!(error.details().and_then(|details| details.as_str()), Some(details), "{text}");
    }
    let negative = parameters("limit=-1").unwrap_err();
    assert_eq!(negative.code(), "PGRST103");
}

#[test]
fn spaces_before_a_list_and_parentheses_behind_a_select_are_passed_over() {
    let Some(Filter::Compare(list)) = parameters("a=in.( ,3)").unwrap().query.filter else { panic!() };
    assert_eq!(list.operand, Operand::List(vec![String::new(), "3".to_owned()]));
    for empty in ["a=in.()", r#"a=in.("")"#] {
        let Some(Filter::Compare(list)) = parameters(empty).unwrap().query.filter else { panic!() };
        assert_eq!(list.operand, Operand::List(Vec::new()), "{empty}");
    }
    assert_eq!(parse_select("a,b(c))").unwrap().len(), 2);
}

#[test]
fn what_is_too_deep_or_too_wide_is_refused_with_the_limit() {
    let deep = format!("and={}a.eq.1{}", "(and".repeat(70) + "(", ")".repeat(71));
    let embeds = format!("select={}a{}", "b(".repeat(40), ")".repeat(40));
    let or = format!("or=({})", vec!["a.eq.1"; 1001].join(","));
    let select = format!("select={}", vec!["a"; 1001].join(","));
    for (text, limit) in [
        (deep, "at most 64 conditions inside one another"),
        (embeds, "at most 32 resources inside one another"),
        (or, "at most 1000 conditions side by side"),
        (select, "at most 1000 columns side by side"),
        (vec!["a=eq.1"; 1001].join("&"), "at most 1000 parameters"),
        (format!("select=a{}", "->b".repeat(101)), "at most 100 steps in a JSON path"),
        (
            format!("a=fts.{}b{}", "(".repeat(65), ")".repeat(65)),
            "at most 64 parentheses and negations inside one another",
        ),
        (format!("a=fts.{}b", "!".repeat(65)), "at most 64 parentheses and negations inside one another"),
    ] {
        let error = parameters(&text).unwrap_err();
        assert_eq!(error.code(), "PGRST100");
        assert!(error.message().ends_with(limit), "{error}");
    }
    parameters(&format!("or=({})", vec!["a.eq.1"; 1000].join(","))).unwrap();
    parameters(&format!("a=fts.{}", vec!["!(b)"; 200].join("%26"))).unwrap();
}

/// What fuzzing begins with, and what it found: nothing of it breaks the parsers.
#[test]
fn the_corpus_of_fuzzing_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/parameters");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let query = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&query);
        if let Err(error) = parameters(&text) {
            assert!(["PGRST100", "PGRST103", "PGRST108"].contains(&error.code()), "{text}: {error:?}");
        }
        read += 1;
    }
    assert!(read >= 9, "the corpus is gone");
}
