//! Conditions made of several, on every type, with literals from outside.

use truststream_services::database::{
    Comparison, DatabaseService, Field, Filter, Is, Operand, Operator, Quantifier, Query,
};

use super::build::{QueryExt, compare, filled, ids, insert, read, ready, refused_saying};
use super::operators::is;
use super::reading::path;
use crate::{Env, Outcome};

pub(super) async fn logic(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let swedish = || compare("country", Operator::Eq, "SE");
    let low = || compare("id", Operator::Lte, "2");
    let cases: [(Filter, &[i64]); 6] = [
        (Filter::And(vec![swedish(), low()]), &[1]),
        (Filter::Or(vec![swedish(), low()]), &[1, 2, 4]),
        (Filter::Or(vec![swedish(), low()]).negated(), &[3]),
        // Null is neither true nor false: Bo has no country.
        (Filter::And(vec![swedish().negated(), low()]), &[]),
        (Filter::Or(vec![swedish().negated(), low()]), &[1, 2, 3]),
        (Filter::And(vec![Filter::Or(vec![low(), is("born", Is::Null)]), swedish().negated()]), &[3]),
    ];
    for (filter, expected) in cases {
        let query = Query::all().matching(filter.clone());
        assert_eq!(ids(&database, "artists", query).await?, expected, "{filter:?}");
    }
    Ok(())
}

const ROWS: &str = r#"[
  {"id":1,"a_bool":true,"a_small":-5,"a_big":9007199254740993,"a_real":0.1,"a_double":1e300,"a_numeric":123456789012345678901.5,
   "a_uuid":"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11","a_timestamptz":"2024-03-31T02:30:00+02","a_timestamp":"2024-03-31 02:30",
   "a_date":"0044-03-15 BC","a_time":"23:59:59.999999","an_interval":"1 day","a_bytea":"\\x00ff","a_mood":"happy","ints":[1,2]},
  {"id":2,"a_bool":false,"a_small":5,"a_big":9007199254740992,"a_real":-1.5,"a_double":-0.0,"a_numeric":-0.10,
   "a_uuid":"b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","a_timestamptz":"infinity","a_timestamp":"-infinity",
   "a_date":"2024-02-29","a_time":"00:00","an_interval":"25:00:00","a_bytea":"\\x","a_mood":"sad","ints":[]}
]"#;

pub(super) async fn of_every_type(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    insert(&database, "everything", ROWS).await?;
    insert(&database, "everything", r#"{"id":3}"#).await?;
    let cases: [(&str, Operator, &str, &[i64]); 27] = [
        ("a_bool", Operator::Eq, "t", &[1]),
        ("a_bool", Operator::Neq, "true", &[2]),
        ("a_small", Operator::Lt, "0", &[1]),
        ("a_big", Operator::Eq, "9007199254740993", &[1]),
        ("a_big", Operator::Gt, "9007199254740992", &[1]),
        ("a_real", Operator::Eq, "0.1", &[1]),
        ("a_double", Operator::Eq, "0", &[2]),
        ("a_double", Operator::Gte, "1E+300", &[1]),
        ("a_numeric", Operator::Eq, "123456789012345678901.50", &[1]),
        ("a_numeric", Operator::Gt, "123456789012345678901.4", &[1]),
        ("a_numeric", Operator::Eq, "-.1", &[2]),
        ("a_numeric", Operator::Lt, "-0.09", &[2]),
        ("a_uuid", Operator::Eq, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", &[1]),
        ("a_uuid", Operator::Gt, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", &[2]),
        ("a_timestamptz", Operator::Eq, "2024-03-31 00:30:00Z", &[1]),
        ("a_timestamptz", Operator::Gt, "2999-01-01", &[2]),
        ("a_timestamp", Operator::Lt, "0001-01-01", &[2]),
        ("a_timestamp", Operator::Eq, "2024-03-31T02:30:00", &[1]),
        ("a_date", Operator::Lt, "2024-02-29", &[1]),
        ("a_date", Operator::Eq, "Feb 29, 2024", &[2]),
        ("a_time", Operator::Gt, "23:59:59", &[1]),
        ("a_time", Operator::Eq, "00:00:00", &[2]),
        ("a_bytea", Operator::Eq, "\\x00FF", &[1]),
        ("a_mood", Operator::Lt, "ok", &[2]),
        ("ints", Operator::Eq, "{1,2}", &[1]),
        ("ints", Operator::Contains, "{2}", &[1]),
        ("ints", Operator::Overlaps, "{2,3}", &[1]),
    ];
    for (field, operator, literal, expected) in cases {
        let query = Query::all().matching(compare(field, operator.clone(), literal));
        assert_eq!(ids(&database, "everything", query).await?, expected, "{field} {operator:?} {literal}");
    }
    Ok(())
}

pub(super) async fn quantifiers(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let quantified = |operator: Operator, quantifier: Quantifier, literal: &str| {
        Filter::Compare(Comparison {
            field: Field::column("name"),
            operator,
            quantifier: Some(quantifier),
            operand: Operand::Text(literal.into()),
        })
    };
    let cases: [(Filter, &[i64]); 4] = [
        (quantified(Operator::Eq, Quantifier::Any, "{Ada,Bo}"), &[1, 2]),
        (quantified(Operator::Like, Quantifier::Any, "{A%,%k}"), &[1, 3]),
        (quantified(Operator::Like, Quantifier::All, "{A%,%a}"), &[1]),
        (quantified(Operator::Gt, Quantifier::All, "{A,B}"), &[2, 3, 4]),
    ];
    for (filter, expected) in cases {
        let query = Query::all().matching(filter.clone());
        assert_eq!(ids(&database, "artists", query).await?, expected, "{filter:?}");
    }
    let of_json = |quantifier: Quantifier, literal: &str| {
        Filter::Compare(Comparison {
            field: path("facts", &["s"], true),
            operator: Operator::Eq,
            quantifier: Some(quantifier),
            operand: Operand::Text(literal.into()),
        })
    };
    let cases: [(Filter, &[i64]); 6] = [
        (of_json(Quantifier::Any, "{text,other}"), &[2]),
        (of_json(Quantifier::Any, "{null,text}"), &[2]),
        (of_json(Quantifier::Any, "{}"), &[]),
        (of_json(Quantifier::All, "{}"), &[1, 2, 3, 4]),
        (of_json(Quantifier::Any, "{null}"), &[]),
        (of_json(Quantifier::All, "{null}").negated(), &[]),
    ];
    for (filter, expected) in cases {
        let query = Query::all().matching(filter.clone());
        assert_eq!(ids(&database, "albums", query).await?, expected, "{filter:?}");
    }
    Ok(())
}

pub(super) async fn literals_are_never_sql(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for literal in
        ["' or 1=1 --", "Ada'; drop table artists; --", "\\'", "\"", "$1", "?1", "{}", ")", "Ada\\"]
    {
        for operator in [Operator::Eq, Operator::Ilike, Operator::Gt] {
            // What matters is that nothing is matched by injection and the table is still there.
            let _ =
                ids(&database, "artists", Query::all().matching(compare("name", operator, literal))).await;
        }
        let found =
            ids(&database, "artists", Query::all().matching(compare("name", Operator::Eq, literal))).await?;
        assert!(found.is_empty(), "{literal} finds {found:?}");
    }
    let rows = r#"{"id":90,"name":"x'; drop table albums; --","country":"\u0027"}"#;
    insert(&database, "artists", rows).await?;
    let query = Query::all().columns(&["name", "country"]).matching(Filter::eq("id", "90"));
    assert_eq!(
        read(&database, "artists", query).await?,
        r#"[{"name":"x'; drop table albums; --","country":"'"}]"#
    );
    assert_eq!(ids(&database, "albums", Query::all()).await?, [1, 2, 3, 4]);
    Ok(())
}

pub(super) async fn wrong_literals_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let cases = [
        ("an_int", "abc", "22P02", "invalid input syntax for type integer: \"abc\""),
        ("an_int", "99999999999", "22003", "value \"99999999999\" is out of range for type integer"),
        ("a_bool", "maybe", "22P02", "invalid input syntax for type boolean: \"maybe\""),
        ("a_uuid", "x", "22P02", "invalid input syntax for type uuid: \"x\""),
        ("a_numeric", "1.2.3", "22P02", "invalid input syntax for type numeric: \"1.2.3\""),
        (
            "a_timestamptz",
            "soon",
            "22007",
            "invalid input syntax for type timestamp with time zone: \"soon\"",
        ),
        ("a_date", "2024-02-30", "22008", "date/time field value out of range: \"2024-02-30\""),
        ("a_mood", "angry", "22P02", "invalid input value for enum mood: \"angry\""),
        ("ints", "1", "22P02", "malformed array literal: \"1\""),
    ];
    for (field, literal, code, message) in cases {
        let query = Query::all().matching(compare(field, Operator::Eq, literal));
        refused_saying(ids(&database, "everything", query).await, code, message);
    }
    Ok(())
}
