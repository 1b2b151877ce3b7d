//! Every operator, on rows known beforehand.

use truststream_kernel::Result;
use truststream_services::database::{
    Comparison, Database, DatabaseService, Field, Filter, Is, Operand, Operator, Query,
};

use super::build::{QueryExt, compare, filled, ids, refused};
use super::reading::path;
use crate::{Env, Outcome};

type Expected<'a> = (&'a str, Operator, &'a str, &'a [i64]);

/// Checks which rows match each comparison, and which match its negation.
async fn check(database: &Database, table: &str, cases: &[Expected<'_>]) -> Result<()> {
    for (field, operator, literal, expected) in cases {
        let query = Query::all().matching(compare(field, operator.clone(), literal));
        assert_eq!(ids(database, table, query).await?, *expected, "{field} {operator:?} {literal}");
    }
    Ok(())
}

pub(super) async fn comparisons(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let artists: &[Expected] = &[
        ("id", Operator::Eq, "2", &[2]),
        ("id", Operator::Neq, "2", &[1, 3, 4]),
        ("id", Operator::Gt, "2", &[3, 4]),
        ("id", Operator::Gte, "2", &[2, 3, 4]),
        ("id", Operator::Lt, "2", &[1]),
        ("id", Operator::Lte, "2", &[1, 2]),
        ("name", Operator::Eq, "çelik", &[3]),
        ("name", Operator::Eq, "ÇELIK", &[]),
        ("country", Operator::Neq, "SE", &[3]),
        ("country", Operator::IsDistinct, "SE", &[2, 3]),
        ("born", Operator::Lt, "1980-12-31", &[1]),
        ("born", Operator::Gte, "19801231", &[2, 4]),
        ("feels", Operator::Eq, "sad", &[3]),
        ("feels", Operator::Gt, "sad", &[1, 2, 4]),
    ];
    check(&database, "artists", artists).await?;
    let albums: &[Expected] = &[
        ("price", Operator::Eq, "9.5", &[1]),
        ("price", Operator::Eq, "9.500", &[1]),
        ("price", Operator::Gt, "9.5", &[2]),
        ("price", Operator::Lt, "10", &[1, 4]),
        ("released", Operator::Gt, "2020-01-01", &[2, 4]),
        ("released", Operator::Eq, "2021-06-01 10:30:00.5Z", &[2]),
    ];
    check(&database, "albums", albums).await?;
    Ok(())
}

pub(super) async fn patterns(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases: &[Expected] = &[
        ("name", Operator::Like, "A%", &[1]),
        ("name", Operator::Like, "a%", &[]),
        ("name", Operator::Ilike, "a%", &[1]),
        ("name", Operator::Like, "_o", &[2]),
        ("name", Operator::Like, "%\\%\\_%", &[4]),
        ("name", Operator::Like, "%", &[1, 2, 3, 4]),
        ("name", Operator::Ilike, "%LIK", &[3]),
        ("country", Operator::Like, "%", &[1, 3, 4]),
    ];
    check(&database, "artists", cases).await?;
    Ok(())
}

fn list(field: &str, literals: &[&str]) -> Filter {
    Filter::Compare(Comparison {
        field: Field::column(field),
        operator: Operator::In,
        quantifier: None,
        operand: Operand::List(literals.iter().map(|literal| (*literal).to_owned()).collect()),
    })
}

pub(super) fn is(field: &str, is: Is) -> Filter {
    Filter::Compare(Comparison {
        field: Field::column(field),
        operator: Operator::Is,
        quantifier: None,
        operand: Operand::Is(is),
    })
}

pub(super) async fn lists_and_nulls(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases: [(Filter, &[i64]); 9] = [
        (list("id", &["1", "3", "99"]), &[1, 3]),
        (list("id", &[]), &[]),
        (list("name", &["Bo", "a,b", "D%_x"]), &[2, 4]),
        (list("country", &["SE"]).negated(), &[3]),
        (is("country", Is::Null), &[2]),
        (is("country", Is::NotNull), &[1, 3, 4]),
        (is("country", Is::Null).negated(), &[1, 3, 4]),
        (is("born", Is::Null), &[3]),
        (compare("country", Operator::Eq, "SE").negated(), &[3]),
    ];
    for (filter, expected) in cases {
        let query = Query::all().matching(filter.clone());
        assert_eq!(ids(&database, "artists", query).await?, expected, "{filter:?}");
    }
    let error = database.send(truststream_services::database::Select::new(
        super::build::table("artists"),
        Query::all().matching(list("id", &["1", "x"])),
    ));
    refused(error.await, "22P02");
    Ok(())
}

pub(super) async fn containment(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases: &[Expected] = &[
        ("labels", Operator::Contains, "{x}", &[1, 4]),
        ("labels", Operator::Contains, "{x,y}", &[1]),
        ("labels", Operator::Contains, "{}", &[1, 2, 3, 4]),
        ("labels", Operator::ContainedBy, "{x,y}", &[1, 2, 3]),
        ("labels", Operator::Overlaps, "{z,y}", &[1, 2, 4]),
        ("labels", Operator::Eq, "{x,y}", &[1]),
        ("facts", Operator::Contains, r#"{"a":1}"#, &[2]),
        ("facts", Operator::Contains, r#"{"a":{"b":[20]}}"#, &[1]),
        ("facts", Operator::Contains, r#"[1]"#, &[4]),
        ("facts", Operator::ContainedBy, r#"{"a":1,"s":"text","more":null}"#, &[2]),
        ("facts", Operator::Eq, r#"{"s":"text","a":1.0}"#, &[2]),
    ];
    check(&database, "albums", cases).await?;
    Ok(())
}

pub(super) async fn json_paths(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let at = |keys: &[&str], as_text: bool, operator: Operator, literal: &str| {
        Filter::Compare(Comparison {
            field: path("facts", keys, as_text),
            operator,
            quantifier: None,
            operand: Operand::Text(literal.into()),
        })
    };
    let cases: [(Filter, &[i64]); 5] = [
        (at(&["n"], true, Operator::Eq, "5"), &[1]),
        (at(&["a", "b", "0"], true, Operator::Eq, "10"), &[1]),
        (at(&["s"], true, Operator::Like, "te%"), &[2]),
        (at(&["a"], false, Operator::Eq, "1"), &[2]),
        (at(&["1"], true, Operator::Eq, "two"), &[4]),
    ];
    for (filter, expected) in cases {
        let query = Query::all().matching(filter.clone());
        assert_eq!(ids(&database, "albums", query).await?, expected, "{filter:?}");
    }
    Ok(())
}

pub(super) async fn regular_expressions(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases: &[Expected] = &[
        ("name", Operator::Match, "^[AB]", &[1, 2]),
        ("name", Operator::Match, "^[ab]", &[]),
        ("name", Operator::Imatch, "^[ab]", &[1, 2]),
        ("name", Operator::Match, "l.k$", &[3]),
    ];
    check(&database, "artists", cases).await?;
    let wrong = Query::all().matching(compare("name", Operator::Match, "("));
    refused(ids(&database, "artists", wrong).await, "2201B");
    Ok(())
}
