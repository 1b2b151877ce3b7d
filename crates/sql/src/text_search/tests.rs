//! What PostgreSQL 15 answered for the same texts.

use truststream_kernel::value::tsvector::Vector;

use super::vector::{of_json, of_text};
use super::{Configuration, Query};

fn vector(text: &str) -> String {
    of_text(&Configuration::named(None).unwrap(), text).to_text()
}

#[test]
fn texts_become_lexemes() {
    for (text, wanted) in [
        ("The Fat Rats sat on mats", "'fat':2 'mat':6 'rat':3 'sat':4"),
        ("it's 2nd, pg_class", "'2nd':3 'class':5 'pg':4"),
        ("well-known facts", "'fact':4 'known':3 'well':2 'well-known':1"),
        (
            "see www.example.com/a?b=1 or me@example.org",
            "'/a?b=1':4 'me@example.org':6 'see':1 'www.example.com':3 'www.example.com/a?b=1':2",
        ),
        ("costs -1.5 or 20 <b>bold</b>", "'-1.5':2 '20':4 'bold':5 'cost':1"),
    ] {
        assert_eq!(vector(text), wanted, "{text}");
    }
}

#[test]
fn conditions_are_read_and_shown() {
    let english = Configuration::named(Some("english")).unwrap();
    for (query, wanted) in [
        (Query::raw(&english, "fat & (rat | !cats)").unwrap(), "'fat' & ( 'rat' | !'cat' )"),
        (
            Query::raw(&english, "'super star':*A & foo-bar").unwrap(),
            "'super':*A <-> 'star':*A & 'foo-bar' <-> 'foo' <-> 'bar'",
        ),
        (Query::plain(&english, "The Fat Rats"), "'fat' & 'rat'"),
        (Query::phrase(&english, "fat and the rats"), "'fat' <3> 'rat'"),
        (Query::websearch(&english, "\"fat rats\" or cats -dogs"), "'fat' <-> 'rat' | 'cat' & !'dog'"),
        (Query::websearch(&english, "the \" -"), ""),
    ] {
        assert_eq!(query.to_text(), wanted);
        assert_eq!(Query::parse(wanted).unwrap(), query);
    }
    for wrong in ["fat &", "(fat", "fat rat", "& fat", "fat <x> rat"] {
        assert_eq!(Query::raw(&english, wrong).unwrap_err().code(), "42601", "{wrong}");
    }
    assert_eq!(Configuration::named(Some("klingon")).err().unwrap().code(), "42704");
}

#[test]
fn documents_match() {
    let english = Configuration::named(None).unwrap();
    let document = of_text(&english, "a fat cat sat on a mat and ate a fat rat");
    for (query, wanted) in [
        ("fat & rat", true),
        ("fat <-> rat", true),
        ("cat <-> rat", false),
        ("cat <-> !mat", true),
        ("fat <-> (dog | rat)", true),
        ("!dog", true),
        ("ra:*", true),
        ("rat:A", false),
    ] {
        assert_eq!(Query::raw(&english, query).unwrap().matches(&document), wanted, "{query}");
    }
    let read = Vector::parse(&document.to_text()).unwrap();
    assert_eq!(read, document);
    assert_eq!(Vector::parse("b a:2A,1 'it''s'").unwrap().to_text(), "'a':1,2A 'b' 'it''s'");
    let json = of_json(&english, r#"{"a": "fat rat", "b": ["sat", 1]}"#).unwrap();
    assert_eq!(json.to_text(), "'fat':1 'rat':2 'sat':4");
}
