//! Texts: JSON as it was given, what matches, ends.

use truststream_kernel::Result;
use truststream_services::database::{
    Comparison, Database, DatabaseService, Field, Filter, Item, JsonStep, Operand, Operator, Query, Select,
};

use super::build::{
    QueryExt, details, ids, insert, migrated, read, refused, refused_saying, table, update_returning,
};
use super::reading::path;
use super::routines::{call, posted};
use crate::{Env, Outcome};

/// JSON that `jsonb` would not keep as it is.
const GIVEN: &str = r#"{"b" :  1.0, "a": [1,2],"b":"\u0041"}"#;

async fn raw(database: &Database, name: &str, query: Query) -> Result<String> {
    database
        .send(Select::new(table(name), query))
        .await
        .map(|page| String::from_utf8_lossy(&page.body).into())
}

pub(super) async fn of_json_are_kept(env: Env<DatabaseService>) -> Outcome {
    let sql = format!(
        "create table kept (id int primary key, j json, b jsonb, made json default '{{\"z\" :1,\"y\": 2}}');
         insert into kept values (1, '{GIVEN}'::json, '{GIVEN}'), (2, null, null);
         create view shown as select id, j, coalesce(j, '[ ]'::json) as known from kept;
         create function same(j json) returns json language sql immutable as 'select j';
         create function built(n int) returns json language sql immutable as
           $$ select json_build_object('b', n, 'a', json_build_array(n, 'x', null), 'a', true) $$;
         create function of_row(wanted int) returns json language sql stable as
           $$ select json_build_object('z', j, 'b', b, 'n', id) from kept where id = wanted $$;"
    );
    let database = migrated(&env, "1_kept.sql", &sql).await?;
    let first = |columns: &[&str]| Query::all().columns(columns).matching(Filter::eq("id", "1"));
    let normal = r#"{"a": [1, 2], "b": "A"}"#;
    let all = format!(r#"[{{"j":{GIVEN},"b":{normal},"made":{{"z" :1,"y": 2}}}}]"#);
    assert_eq!(raw(&database, "kept", first(&["j", "b", "made"])).await?, all);
    let shown = format!(r#"[{{"j":{GIVEN},"known":{GIVEN}}}]"#);
    assert_eq!(raw(&database, "shown", first(&["j", "known"])).await?, shown);
    let inner = r#"{"j":{"z" : {"y":1e2,"y":2.50},"a": [ 1 ,"\u0041"]}}"#;
    insert(&database, "kept", &format!(r#"{{"id":3,{}"#, &inner[1..])).await?;
    let taken = async |keys: &[&str], as_text: bool| {
        let field = path("j", keys, as_text);
        let items = vec![Item::Column { field, alias: Some("v".into()), cast: None, aggregate: None }];
        raw(&database, "kept", Query { items, ..Query::all().matching(Filter::eq("id", "3")) }).await
    };
    for (keys, as_text, found) in [
        (&["z"][..], false, r#"{"y":1e2,"y":2.50}"#),
        (&["z"], true, r#""{\"y\":1e2,\"y\":2.50}""#),
        (&["z", "y"], false, "2.50"),
        (&["a"], false, r#"[ 1 ,"\u0041"]"#),
        (&["a", "1"], false, r#""\u0041""#),
        (&["a", "-1"], true, r#""A""#),
        (&["a", "0"], true, r#""1""#),
        (&["a", "z"], false, "null"),
        (&["z", "y", "0"], false, "null"),
    ] {
        assert_eq!(taken(keys, as_text).await?, format!(r#"[{{"v":{found}}}]"#), "{keys:?}");
    }
    let none = Query::all().columns(&["j", "known"]).matching(Filter::eq("id", "2"));
    assert_eq!(raw(&database, "shown", none).await?, r#"[{"j":null,"known":[ ]}]"#);
    let called = async |function: &str, arguments: &str| {
        let page = database.send(posted(function, arguments)).await?;
        Ok::<_, truststream_kernel::Error>(String::from_utf8_lossy(&page.body).into_owned())
    };
    assert_eq!(called("same", &format!(r#"{{"j":{GIVEN}}}"#)).await?, GIVEN);
    assert_eq!(called("built", r#"{"n":7}"#).await?, r#"{"b" : 7, "a" : [7, "x", null], "a" : true}"#);
    let built = format!(r#"{{"z" : {GIVEN}, "b" : {normal}, "n" : 1}}"#);
    assert_eq!(called("of_row", r#"{"wanted":1}"#).await?, built);
    assert_eq!(called("of_row", r#"{"wanted":2}"#).await?, r#"{"z" : null, "b" : null, "n" : 2}"#);
    Ok(())
}

/// Paths lead into the JSON of values of any type, and into no text that another path ends with.
pub(super) async fn are_led_into_as_json(env: Env<DatabaseService>) -> Outcome {
    let sql =
        "create table named (id int primary key, name text, code varchar(5), born date, key uuid, on_ bool,
         n numeric(4,1), tags text[]);";
    let database = migrated(&env, "1_named.sql", sql).await?;
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let row = format!(
        r#"[{{"id":1,"name":"ab","code":"c","born":"2020-02-01","key":"{uuid}","on_":true,"n":1.5,"tags":["x"]}},
        {{"id":2,"name":null,"code":null,"born":null,"key":null,"on_":null,"n":null,"tags":null}}]"#
    );
    insert(&database, "named", &row).await?;
    let taken = async |column: &str, keys: &[&str], as_text: bool| {
        let field = path(column, keys, as_text);
        let items = vec![Item::Column { field, alias: Some("v".into()), cast: None, aggregate: None }];
        read(&database, "named", Query { items, ..Query::all().ordered(&["id"]) }).await
    };
    let quoted = format!("\"{uuid}\"");
    for (column, key, as_text, found) in [
        ("name", "x", false, "null"),
        ("name", "x", true, "null"),
        ("name", "0", false, "\"ab\""),
        ("name", "0", true, "\"ab\""),
        ("name", "1", true, "null"),
        ("code", "0", false, "\"c\""),
        ("id", "x", true, "null"),
        ("n", "0", false, "1.5"),
        ("n", "0", true, "\"1.5\""),
        ("on_", "0", true, "\"true\""),
        ("born", "0", false, "\"2020-02-01\""),
        ("key", "0", false, &quoted),
        ("key", "0", true, &quoted),
        ("tags", "0", true, "\"x\""),
        ("tags", "x", false, "null"),
    ] {
        let rows = format!(r#"[{{"v":{found}}},{{"v":null}}]"#);
        assert_eq!(taken(column, &[key], as_text).await?, rows, "{column} {key} {as_text}");
    }
    let wanted = Filter::Compare(Comparison {
        field: path("name", &["0"], true),
        operator: Operator::Eq,
        quantifier: None,
        operand: Operand::Text("ab".into()),
    });
    assert_eq!(ids(&database, "named", Query::all().matching(wanted)).await?, [1]);
    let hint =
        "No operator matches the given name and argument types. You might need to add explicit type casts.";
    for (keys, words) in [(["x", "y"], "text -> unknown"), (["x", "0"], "text -> integer")] {
        let step = |key: &str, as_text| JsonStep { as_text, ..path("", &[key], false).path.remove(0) };
        let field = Field { name: "name".into(), path: vec![step(keys[0], true), step(keys[1], false)] };
        let items = vec![Item::Column { field, alias: None, cast: None, aggregate: None }];
        let found = read(&database, "named", Query { items, ..Query::all() }).await;
        let error = refused_saying(found, "42883", &format!("operator does not exist: {words}"));
        assert_eq!(error.hint(), Some(hint), "{words}");
    }
    Ok(())
}

pub(super) async fn match_in_checks(env: Env<DatabaseService>) -> Outcome {
    let sql = r"create domain address as text check (value ~* '^[a-z0-9.+]+@[a-z0-9.-]+\.[a-z]{2,}$');
         create table contacts (id int primary key, code text check (code ~ '^[A-Z]{2}\d{3}$'), mail address,
           slug text constraint slugs check (lower(slug) ~ '^(\w+-)*\w+$' and slug !~* '^admin'),
           plain text constraint plains check (plain !~ '^a.*b$'));";
    let database = migrated(&env, "1_contacts.sql", sql).await?;
    let rows = r#"[
      {"id":1,"code":"AB123","mail":"A.b@Example.org","slug":"One-two","plain":"ab c"},
      {"id":2,"code":null,"mail":null,"slug":null,"plain":null}
    ]"#;
    insert(&database, "contacts", rows).await?;
    let violated =
        |name: &str| format!("new row for relation \"contacts\" violates check constraint \"{name}\"");
    for (row, name) in [
        (r#"{"id":3,"code":"ab123"}"#, "contacts_code_check"),
        (r#"{"id":3,"code":"AB123\n"}"#, "contacts_code_check"),
        (r#"{"id":3,"slug":"one--two"}"#, "slugs"),
        (r#"{"id":3,"slug":"ADMINS"}"#, "slugs"),
        (r#"{"id":3,"plain":"a\nb"}"#, "plains"),
    ] {
        let error = refused_saying(insert(&database, "contacts", row).await, "23514", &violated(name));
        assert!(details(&error).starts_with("Failing row contains (3, "), "{error:?}");
    }
    let message = "value for domain address violates check constraint \"address_check\"";
    refused_saying(insert(&database, "contacts", r#"{"id":3,"mail":"x@y"}"#).await, "23514", message);
    let one = || Query::all().columns(&["id"]).matching(Filter::eq("id", "1"));
    let update = update_returning("contacts", r#"{"code":"x"}"#, one());
    refused_saying(database.send(update).await, "23514", &violated("contacts_code_check"));
    let update = update_returning("contacts", r#"{"code":"CD456"}"#, one());
    assert_eq!(database.send(update).await?.rows, 1);
    Ok(())
}

/// Triggers match the rows they are about, and what they make of JSON is kept as it was made.
pub(super) async fn are_made_and_matched_in_programs(env: Env<DatabaseService>) -> Outcome {
    let sql = r"create table codes (id int primary key, code text, j json);
         create function checked() returns trigger language plpgsql as $$
         begin
           if new.code !~ '^[A-Z]{2}\d+$' then
             raise exception 'no code: %', new.code using errcode = '22023';
           end if;
           new.j := json_build_object('code', new.code, 'at', new.id);
           return new;
         end $$;
         create trigger checked before insert or update on codes for each row execute function checked();";
    let database = migrated(&env, "1_codes.sql", sql).await?;
    insert(&database, "codes", r#"[{"id":1,"code":"AB1"},{"id":2,"code":null}]"#).await?;
    refused_saying(insert(&database, "codes", r#"{"id":3,"code":"Ab1"}"#).await, "22023", "no code: Ab1");
    let rows = raw(&database, "codes", Query::all().columns(&["j"]).ordered(&["id"])).await?;
    let made = [r#"{"j":{"code" : "AB1", "at" : 1}}"#, r#"{"j":{"code" : null, "at" : 2}}"#];
    for one in made {
        assert!(rows.contains(one), "{rows}");
    }
    Ok(())
}

pub(super) async fn are_taken_from_both_ends(env: Env<DatabaseService>) -> Outcome {
    let sql = "create table words (id int primary key, word text, n int);
         create view ends as select id, left(word, n) as l, right(word, n) as r, left(word, 1) as one from words;
         create function tail(word text, n int) returns text language sql immutable as
           'select right(word, n) || left(word, -n)';";
    let database = migrated(&env, "1_words.sql", sql).await?;
    let rows = r#"[
      {"id":1,"word":"häuser","n":2},{"id":2,"word":"häuser","n":-2},{"id":3,"word":"häuser","n":-9},
      {"id":4,"word":"häuser","n":9},{"id":5,"word":"häuser","n":0},{"id":6,"word":null,"n":1},
      {"id":7,"word":"é","n":null},{"id":8,"word":"","n":-1}
    ]"#;
    insert(&database, "words", rows).await?;
    let ends = read(&database, "ends", Query::all().columns(&["l", "r", "one"]).ordered(&["id"])).await?;
    assert_eq!(
        ends,
        r#"[{"l":"hä","r":"er","one":"h"},{"l":"häus","r":"user","one":"h"},{"l":"","r":"","one":"h"},"#
            .to_owned()
            + r#"{"l":"häuser","r":"häuser","one":"h"},{"l":"","r":"","one":"h"},{"l":null,"r":null,"one":null},"#
            + r#"{"l":null,"r":null,"one":"é"},{"l":"","r":"","one":""}]"#
    );
    assert_eq!(call(&database, "tail", r#"{"word":"abcde","n":2}"#).await?, r#""deabc""#);
    assert_eq!(call(&database, "tail", r#"{"word":null,"n":2}"#).await?, "null");
    refused(call(&database, "tail", r#"{"word":"a","n":"x"}"#).await, "22P02");
    Ok(())
}
