use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{parse_parameters, render_names, render_query};
use crate::database::*;

/// Names as people have them, words of the language, and what has to be quoted.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-z0-9_]{0,5}",
        prop::sample::select(vec!["order", "limit", "and", "not", "select", "is", "count"])
            .prop_map(str::to_owned),
        "[a-zA-Zäß\"\\\\.,:()!*<>=&%# -]{1,6}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{0,5}", "[a-z0-9\"\\\\.,:(){}!<>=&%# é-]{0,8}"]
}

fn field() -> impl Strategy<Value = Field> {
    let key = prop_oneof![
        name().prop_map(JsonKey::Key),
        "[0-9]{1,3}".prop_map(JsonKey::Key),
        (-9i64..99).prop_map(JsonKey::Index)
    ];
    let step = (key, any::<bool>()).prop_map(|(key, as_text)| JsonStep { key, as_text });
    (name(), vec(step, 0..3)).prop_map(|(name, path)| Field { name, path })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Operator::{
        Adjacent, ContainedBy, Contains, Eq, FullText, Gt, Gte, Ilike, Imatch, In, IsDistinct, Like, Lt, Lte,
        Match, Neq, NotLeft, NotRight, Overlaps, StrictlyLeft, StrictlyRight,
    };
    let quantified = prop::sample::select(vec![Eq, Gt, Gte, Lt, Lte, Like, Ilike, Match, Imatch]);
    let plain = prop::sample::select(vec![
        Neq,
        IsDistinct,
        Contains,
        ContainedBy,
        Overlaps,
        StrictlyLeft,
        StrictlyRight,
        NotRight,
        NotLeft,
        Adjacent,
        FullText(FullTextParser::Raw, None),
        FullText(FullTextParser::Plain, Some("english".to_owned())),
        FullText(FullTextParser::Phrase, None),
        FullText(FullTextParser::Websearch, Some("simple".to_owned())),
    ]);
    let quantifier = of(prop::sample::select(vec![Quantifier::Any, Quantifier::All]));
    let is = prop::sample::select(vec![Is::Null, Is::NotNull, Is::True, Is::False, Is::Unknown]);
    let right = prop_oneof![
        (quantified, quantifier, text()).prop_map(|(op, quantifier, text)| (
            op,
            quantifier,
            Operand::Text(text)
        )),
        (plain, text()).prop_map(|(op, text)| (op, None, Operand::Text(text))),
        vec(text(), 0..4)
            .prop_filter("said with the empty text twice", |all| *all != [String::new()])
            .prop_map(|all| (In, None, Operand::List(all))),
        is.prop_map(|is| (Operator::Is, None, Operand::Is(is))),
    ];
    (field(), right).prop_map(|(field, (operator, quantifier, operand))| Comparison {
        field,
        operator,
        quantifier,
        operand,
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = (comparison(), any::<bool>()).prop_map(|(comparison, negated)| {
        let filter = Filter::Compare(comparison);
        if negated { filter.negated() } else { filter }
    });
    leaf.prop_recursive(3, 12, 4, |inner| {
        (vec(inner, 1..4), any::<bool>(), any::<bool>()).prop_map(|(members, and, negated)| {
            let filter = if and { Filter::And(members) } else { Filter::Or(members) };
            if negated { filter.negated() } else { filter }
        })
    })
}

fn cast() -> impl Strategy<Value = Option<String>> {
    of(prop::sample::select(vec!["text", "int4", "double precision", "text[]"]).prop_map(str::to_owned))
}

fn column() -> impl Strategy<Value = Item> {
    use AggregateFunction::*;
    let function = prop::sample::select(vec![Avg, Count, Max, Min, Sum]);
    let aggregate = of((function, cast()).prop_map(|(function, cast)| Aggregate { function, cast }));
    prop_oneof![
        Just(Item::All),
        (of(name()), cast()).prop_map(|(alias, cast)| Item::Count { alias, cast }),
        (field(), of(name()), cast(), aggregate).prop_map(|(field, alias, cast, aggregate)| Item::Column {
            field,
            alias,
            cast,
            aggregate
        }),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let nulls = of(prop::sample::select(vec![Nulls::First, Nulls::Last]));
    (of(name()), field(), any::<bool>(), nulls).prop_map(|(relation, field, descending, nulls)| Order {
        relation,
        field,
        descending,
        nulls,
    })
}

fn query() -> impl Strategy<Value = Query> {
    let bare = |items: BoxedStrategy<Vec<Item>>| {
        (items, of(filter()), vec(order(), 0..3), of(0u64..100), 0u64..3)
            .prop_map(|(items, filter, order, limit, offset)| Query { items, filter, order, limit, offset })
    };
    bare(vec(column(), 0..4).boxed()).prop_recursive(2, 8, 2, move |inner| {
        let hint = of("[a-z]{1,4}_fkey");
        let embed = (name(), of(name()), hint, any::<bool>(), any::<bool>(), inner);
        let embeds = vec(embed, 0..3).prop_map(|embeds| {
            let named = |(at, (relation, alias, hint, inner, spread, query))| {
                // Two of one name can't be told apart, which is refused.
                let relation: String = format!("{relation}{at}");
                let alias: Option<String> = if spread { None } else { alias };
                let alias = alias.map(|alias| format!("{alias}of{at}"));
                Item::Embed(Embed { relation, alias, hint, inner, spread, query })
            };
            embeds.into_iter().enumerate().map(named).collect::<Vec<_>>()
        });
        let items = (vec(column(), 0..3), embeds).prop_map(|(mut items, embeds)| {
            items.extend(embeds);
            items
        });
        bare(items.boxed())
    })
}

fn parsed(pairs: &[(String, String)]) -> Query {
    let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    parse_parameters(pairs).unwrap().query
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_again(query in query()) {
        let pairs = render_query(&query).unwrap();
        prop_assert_eq!(parsed(&pairs), query, "{:?}", pairs);
    }

    #[test]
    fn names_are_read_again(names in vec(name(), 1..4)) {
        let text = render_names(&names);
        let read = parse_parameters([("columns", text.as_str())].into_iter()).unwrap();
        prop_assert_eq!(read.columns, Some(names), "{}", text);
    }
}

#[test]
fn it_is_written_as_people_write_it() {
    let text = [
        ("select", "id,year:info->>year::int4,artist:artists!inner(name,count())"),
        ("id", "gte.7"),
        ("or", "(title.ilike.\"%so what%\",not.and(a.is.null,b.in.(1,\"x,y\")))"),
        ("order", "artist(name).desc.nullslast,id"),
        ("limit", "10"),
        ("artist.name", "not.eq.Nina Simone"),
    ];
    let text = text.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut query = parsed(&text);
    assert_eq!(render_query(&query).unwrap()[0], text[0]);
    // Conditions of which one is a tree become one tree.
    let tree = "(id.gte.7,or(title.ilike.\"%so what%\",not.and(a.is.null,b.in.(1,\"x,y\"))))";
    assert_eq!(render_query(&query).unwrap()[1], ("and".to_owned(), tree.to_owned()));
    query.filter = None;
    assert_eq!(render_query(&query).unwrap()[1..], text[3..]);
}

#[test]
fn what_has_no_words_is_refused() {
    let twice = || {
        Item::Embed(Embed {
            relation: "p".to_owned(),
            alias: None,
            hint: None,
            inner: false,
            spread: false,
            query: Query { limit: Some(1), ..Query::all() },
        })
    };
    let cast = |ty: &str| Item::Count { alias: None, cast: Some(ty.to_owned()) };
    let mut like = Filter::eq("a", "b*c");
    if let Filter::Compare(comparison) = &mut like {
        comparison.operator = Operator::Like;
    }
    for query in [
        Query { filter: Some(Filter::And(Vec::new())), ..Query::all() },
        Query { filter: Some(like), ..Query::all() },
        Query { items: vec![twice(), twice()], ..Query::default() },
        Query { items: vec![cast("numeric(10,2)")], ..Query::default() },
        Query { limit: Some(u64::MAX), ..Query::all() },
    ] {
        assert_eq!(render_query(&query).unwrap_err().code(), "0A000", "{query:?}");
    }
}
