//! Domains whose values are shown and read through casts.

use truststream_kernel::Result;
use truststream_services::database::{
    Aggregate, AggregateFunction, Comparison, Database, DatabaseService, Field, Filter, Insert, Is, Item,
    Media, OnConflict, Operand, Operator, Quantifier, Query, Select, TableName,
};

use super::build::{
    QueryExt, compact, compare, embed, ids, insert, insert_returning, migrated, read, refused,
    refused_saying, table, update_returning,
};
use super::routines::call;
use crate::{Env, Outcome};

const REPRESENTATIONS: &str = include_str!("representations.sql");

async fn mixed(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_representations.sql", REPRESENTATIONS).await
}

fn shown(name: &str, alias: Option<&str>, cast: Option<&str>) -> Item {
    Item::Column {
        field: Field::column(name),
        alias: alias.map(str::to_owned),
        cast: cast.map(str::to_owned),
        aggregate: None,
    }
}

pub(super) async fn are_shown_by_their_casts(env: Env<DatabaseService>) -> Outcome {
    let database = mixed(&env).await?;
    let all = Query::all().ordered(&["id"]);
    assert_eq!(
        read(&database, "paints", all.clone()).await?,
        concat!(
            r##"[{"id":1,"name":"Deep Red","shade":"#FF0000","mixed":1577836800,"code":"RED"},"##,
            r##"{"id":2,"name":"Black","shade":"#000000","mixed":1609459200,"code":"INK"},"##,
            r##"{"id":3,"name":null,"shade":"","mixed":null,"code":null}]"##
        )
    );
    let mut named = all.clone().matching(compare("id", Operator::Eq, "1"));
    named.items = vec![shown("shade", Some("tone"), None), shown("shade", None, Some("text"))];
    assert_eq!(read(&database, "paints", named).await?, r##"[{"tone":"#FF0000","shade":"\"#FF0000\""}]"##);
    let mut related = all.clone().columns(&["id"]).embedding("paints", &["shade"]);
    assert_eq!(
        read(&database, "walls", related.clone()).await?,
        r##"[{"id":1,"paints":{"shade":"#FF0000"}},{"id":2,"paints":{"shade":""}}]"##
    );
    let mut spread = embed("paints", &["shade"]);
    spread.spread = true;
    related.items = vec![Item::column("id"), Item::Embed(spread)];
    assert_eq!(
        read(&database, "walls", related).await?,
        r##"[{"id":1,"shade":"#FF0000"},{"id":2,"shade":""}]"##
    );
    let mut csv = Select::new(table("paints"), all.columns(&["id", "shade", "mixed"]));
    csv.format.media = Media::Csv;
    assert_eq!(
        String::from_utf8_lossy(&database.send(csv).await?.body),
        "id,shade,mixed\n1,\"\"\"#FF0000\"\"\",1577836800\n2,\"\"\"#000000\"\"\",1609459200\n3,\"\"\"\"\"\","
    );
    let mut darkest = Query::all().columns(&["shade"]).ordered(&["shade"]);
    darkest.limit = Some(1);
    assert_eq!(read(&database, "paints", darkest).await?, r##"[{"shade":"#000000"}]"##);
    Ok(())
}

pub(super) async fn are_grouped_by_what_they_are(env: Env<DatabaseService>) -> Outcome {
    let database = mixed(&env).await?;
    insert(&database, "paints", r##"{"id":4,"shade":"#000000"}"##).await?;
    let mut groups = Query::all().ordered(&["shade"]);
    groups.items = vec![shown("shade", None, None), Item::Count { alias: None, cast: None }];
    assert_eq!(
        read(&database, "paints", groups).await?,
        r##"[{"shade":"#000000","count":2},{"shade":"#FF0000","count":1},{"shade":"","count":1}]"##
    );
    let mut renamed = Query::all();
    renamed.items = vec![shown("shade", Some("tone"), None), Item::Count { alias: None, cast: None }];
    let message = "could not identify an equality operator for type json";
    refused_saying(read(&database, "paints", renamed).await, "42883", message);
    let mut largest = Query::all();
    largest.items = vec![Item::Column {
        field: Field::column("shade"),
        alias: None,
        cast: None,
        aggregate: Some(Aggregate { function: AggregateFunction::Max, cast: None }),
    }];
    refused_saying(read(&database, "paints", largest).await, "42883", "function max(json) does not exist");
    Ok(())
}

pub(super) async fn are_read_in_filters(env: Env<DatabaseService>) -> Outcome {
    let database = mixed(&env).await?;
    let found = |operator, literal: &str| {
        let (database, query) = (&database, Query::all().matching(compare("shade", operator, literal)));
        async move { ids(database, "paints", query).await }
    };
    assert_eq!(found(Operator::Eq, "#FF0000").await?, [1]);
    assert_eq!(found(Operator::Eq, "ff0000").await?, [1]);
    assert_eq!(found(Operator::Gte, "1").await?, [1]);
    assert_eq!(found(Operator::Neq, "ff0000").await?, [2]);
    assert_eq!(found(Operator::IsDistinct, "ff0000").await?, [2, 3]);
    let list = |negated| {
        let filter = Filter::Compare(Comparison {
            field: Field::column("shade"),
            operator: Operator::In,
            quantifier: None,
            operand: Operand::List(vec!["#000000".to_owned(), "123456".to_owned()]),
        });
        Query::all().matching(if negated { filter.negated() } else { filter })
    };
    assert_eq!(ids(&database, "paints", list(false)).await?, [2]);
    assert_eq!(ids(&database, "paints", list(true)).await?, [1]);
    let is_null = Filter::Compare(Comparison {
        field: Field::column("shade"),
        operator: Operator::Is,
        quantifier: None,
        operand: Operand::Is(Is::Null),
    });
    assert_eq!(ids(&database, "paints", Query::all().matching(is_null)).await?, [3]);
    let message = "\"r\" is not a valid hexadecimal digit";
    refused_saying(found(Operator::Eq, "red").await, "22P02", message);
    let message = "value for domain color violates check constraint \"color_check\"";
    refused_saying(found(Operator::Eq, "ffffffff").await, "23514", message);
    let message = "operator does not exist: color ~~ unknown";
    refused_saying(found(Operator::Like, "#FF%").await, "42883", message);
    let message = "operator does not exist: color ~ color";
    refused_saying(found(Operator::Match, "ff").await, "42883", message);
    let any = Filter::Compare(Comparison {
        field: Field::column("shade"),
        operator: Operator::Eq,
        quantifier: Some(Quantifier::Any),
        operand: Operand::Text("{1,2}".to_owned()),
    });
    let array = ids(&database, "paints", Query::all().matching(any)).await;
    refused_saying(array, "42809", "op ANY/ALL (array) requires array on right side");
    // What has no cast from text is read as its type.
    let moment = Query::all().matching(compare("mixed", Operator::Eq, "2020-01-01 00:00:00+00"));
    assert_eq!(ids(&database, "paints", moment).await?, [1]);
    let name = Query::all().matching(compare("name", Operator::Eq, "deep red"));
    assert_eq!(ids(&database, "paints", name).await?, [1]);
    Ok(())
}

pub(super) async fn are_named_in_errors_as_a_session_finds_them(env: Env<DatabaseService>) -> Outcome {
    let sql = "
        create schema shop;
        create domain shop.tone as int;
        create function shop.tone_read(text) returns shop.tone language sql immutable as $$
          select length($1)::shop.tone
        $$;
        create cast (text as shop.tone) with function shop.tone_read(text) as implicit;
        create table shop.lamps (id int primary key, tone shop.tone);
        create table lamps (id int primary key, tone shop.tone);";
    let database = migrated(&env, "1_shop.sql", sql).await?;
    for (schema, name) in [("shop", "tone"), ("public", "shop.tone")] {
        for (operator, sign, right) in [(Operator::Like, "~~", "unknown"), (Operator::Match, "~", name)] {
            let query = Query::all().matching(compare("tone", operator, "x"));
            let found = database.send(Select::new(TableName::new(schema, "lamps"), query)).await;
            refused_saying(found, "42883", &format!("operator does not exist: {name} {sign} {right}"));
        }
    }
    Ok(())
}

pub(super) async fn are_read_in_bodies(env: Env<DatabaseService>) -> Outcome {
    let database = mixed(&env).await?;
    let rows = concat!(
        r##"[{"id":4,"shade":"#001100","mixed":1600000000,"code":"abc"},"##,
        r##"{"id":5,"shade":null,"mixed":null,"code":null}]"##
    );
    assert_eq!(
        compact(&database.send(insert_returning("paints", rows)).await?.body),
        concat!(
            r##"[{"id":4,"name":null,"shade":"#001100","mixed":1600000000,"code":"ABC"},"##,
            r##"{"id":5,"name":null,"shade":"","mixed":null,"code":null}]"##
        )
    );
    let mut chosen = insert_returning("paints", r##"{"id":6,"shade":"0000aa","mixed":"never"}"##);
    chosen.columns = Some(vec!["id".into(), "shade".into()]);
    chosen.query = Query::all().columns(&["shade", "mixed"]);
    assert_eq!(compact(&database.send(chosen).await?.body), r##"[{"shade":"#0000AA","mixed":1513213350}]"##);
    // A default that is asked for is read as well.
    let mut missing = insert_returning("paints", r##"{"id":7}"##);
    missing.columns = Some(vec!["id".into(), "shade".into()]);
    missing.missing_default = true;
    missing.query = Query::all().columns(&["shade"]);
    assert_eq!(compact(&database.send(missing).await?.body), r##"[{"shade":"#000255"}]"##);
    let one = Query::all().columns(&["id", "shade"]).matching(compare("shade", Operator::Eq, "0000aa"));
    let update = update_returning("paints", r##"{"shade":"#0000bb"}"##, one);
    assert_eq!(compact(&database.send(update).await?.body), r##"[{"id":6,"shade":"#0000BB"}]"##);
    let by_code = OnConflict { columns: Some(vec!["code".into()]), merge: true };
    let upsert = Insert {
        on_conflict: Some(by_code),
        query: Query::all().columns(&["id", "shade"]),
        ..insert_returning("paints", r##"[{"id":1,"code":"red","shade":"#ee0000"}]"##)
    };
    assert_eq!(compact(&database.send(upsert).await?.body), r##"[{"id":1,"shade":"#EE0000"}]"##);
    refused_saying(
        insert(&database, "paints", r##"{"id":8,"code":"abcde"}"##).await,
        "22023",
        "no code: abcde",
    );
    refused(insert(&database, "paints", r##"{"id":8,"shade":"#xyz"}"##).await, "22P02");
    refused(insert(&database, "paints", r##"{"id":8,"shade":"ff000000"}"##).await, "23514");
    let none = Query::all().matching(compare("id", Operator::Eq, "8"));
    assert!(ids(&database, "paints", none).await?.is_empty());
    Ok(())
}

pub(super) async fn are_those_of_views_and_functions(env: Env<DatabaseService>) -> Outcome {
    let database = mixed(&env).await?;
    assert_eq!(
        read(&database, "tints", Query::all().ordered(&["id"])).await?,
        concat!(
            r##"[{"id":1,"label":"Deep Red","shade":"#FF0000","half":"#7F8000","same":"#FF0000","next":16711681},"##,
            r##"{"id":2,"label":"Black","shade":"#000000","half":"#000000","same":"#000000","next":1},"##,
            r##"{"id":3,"label":null,"shade":"","half":"","same":"","next":null}]"##
        )
    );
    let half = Query::all().matching(compare("half", Operator::Eq, "7f8000"));
    assert_eq!(ids(&database, "tints", half).await?, [1]);
    let one = Query::all().columns(&["shade", "half"]).matching(compare("id", Operator::Eq, "2"));
    let update = update_returning("tints", r##"{"shade":"#221100"}"##, one);
    assert_eq!(compact(&database.send(update).await?.body), r##"[{"shade":"#221100","half":"#110880"}]"##);
    let mut new = insert_returning("tints", r##"{"id":4,"label":"night blue","shade":"#000020"}"##);
    new.query = Query::all().columns(&["label", "half"]);
    assert_eq!(compact(&database.send(new).await?.body), r##"[{"label":"Night Blue","half":"#000010"}]"##);
    assert_eq!(
        call(&database, "darker", r#"{"than":255}"#).await?,
        r##"[{"id":4,"name":"Night Blue","shade":"#000020","mixed":1513213350,"code":null}]"##
    );
    Ok(())
}
