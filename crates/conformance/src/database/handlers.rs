//! Functions that catch errors, run texts as SQL, write within `with`, and return rows of composite types.

use truststream_kernel::Result;
use truststream_services::database::{Database, DatabaseService, Delete, Operator, Query, Update};

use super::build::{
    ALICE, BOB, QueryExt, compare, details, insert, migrated, read, refused_saying, signed_in, table,
};
use super::routines::call;
use crate::{Env, Outcome};

const HANDLERS: &str = include_str!("handlers.sql");
const GUARDED: &str = include_str!("guarded.sql");

async fn programmed(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_handlers.sql", HANDLERS).await
}

async fn notes(database: &Database) -> Result<String> {
    read(database, "journal", Query::all().ordered(&["note"])).await
}

pub(super) async fn undo_what_led_to_an_error(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let put = |id: i64, name: &str, amount: i64| {
        let arguments = format!(r#"{{"id":{id},"name":{name},"amount":{amount}}}"#);
        let database = database.clone();
        async move { call(&database, "put_stock", &arguments).await }
    };
    assert_eq!(put(3, r#""screw""#, 1).await?, r#""done""#);
    assert_eq!(put(4, r#""bolt""#, 1).await?, r#""taken after 1""#);
    assert_eq!(put(5, "null", 1).await?, r#""taken after 1""#);
    assert_eq!(put(6, r#""gear""#, -1).await?, r#""23514""#);
    assert_eq!(
        notes(&database).await?,
        r#"[{"note":"caught 23502"},{"note":"caught 23505"},{"note":"tried 3"}]"#
    );
    assert_eq!(
        call(&database, "put_all", r#"{"labels":["cog","nut","axle","cog","hub"]}"#).await?,
        concat!(
            r#"["cog","nut again, before it cog","axle","cog again, before it axle","#,
            r#""hub again, before it axle"]"#
        )
    );
    let names = Query::all().columns(&["id", "name"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "stock", names).await?,
        concat!(
            r#"[{"id":1,"name":"bolt"},{"id":2,"name":"nut"},{"id":3,"name":"screw"},"#,
            r#"{"id":10,"name":"cog"},{"id":11,"name":"axle"}]"#
        )
    );
    Ok(())
}

pub(super) async fn tell_what_they_catch_and_let_the_rest_go(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let nested = |n: i64| {
        let (database, arguments) = (database.clone(), format!(r#"{{"n":{n}}}"#));
        async move { call(&database, "nested", &arguments).await }
    };
    assert_eq!(nested(0).await?, r#""22012 ""#);
    assert_eq!(nested(1).await?, r#""fine ""#);
    assert_eq!(nested(2).await?, r#""fine two ""#);
    assert_eq!(nested(-1).await?, r#""below -1 ""#);
    let error = refused_saying(nested(-2).await, "MY001", "below -2");
    assert_eq!((details(&error), error.hint()), ("so low", Some("go up")));
    assert_eq!(call(&database, "told", "{}").await?, r#""P0099: no way, why, how""#);
    refused_saying(call(&database, "asserted", "{}").await, "P0004", "never");
    let alice = signed_in(&database, ALICE);
    let put = |owner: &str| {
        let (alice, arguments) = (alice.clone(), format!(r#"{{"owner":"{owner}","note":"of {owner}"}}"#));
        async move { call(&alice, "put_mine", &arguments).await }
    };
    assert_eq!(put(BOB).await?, r#""not yours""#);
    assert_eq!(put(ALICE).await?, r#""put""#);
    let owners = Query::all().columns(&["owner"]);
    assert_eq!(read(&database, "mine", owners).await?, format!(r#"[{{"owner":"{ALICE}"}}]"#));
    Ok(())
}

pub(super) async fn run_texts_with_values(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(call(&database, "count_of", r#"{"lowest":6}"#).await?, "1");
    assert_eq!(call(&database, "id_of", r#"{"name":"nut"}"#).await?, "2");
    assert_eq!(call(&database, "id_of", r#"{"name":"x' or 'x' = 'x"}"#).await?, "null");
    assert_eq!(call(&database, "id_of", r#"{"name":null}"#).await?, "null");
    assert_eq!(
        call(&database, "rename_stock", r#"{"name":"nut","becomes":"nut '$1'"}"#).await?,
        r#"[{"id":1,"name":"bolt","amount":10},{"id":2,"name":"nut '$1'","amount":5}]"#
    );
    assert_eq!(notes(&database).await?, r#"[{"note":"nut '$1'1"}]"#);
    Ok(())
}

pub(super) async fn write_within_with(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let made = r#"{"id":7,"name":"gear","labels":["left","right","none"]}"#;
    assert_eq!(call(&database, "put_with_parts", made).await?, "2");
    let parts = Query::all().columns(&["stock_id", "label", "image"]).ordered(&["label"]);
    assert_eq!(
        read(&database, "parts", parts).await?,
        concat!(
            r#"[{"stock_id":7,"label":"left","image":"\\x00ff"},"#,
            r#"{"stock_id":7,"label":"none","image":"\\x00ff"},"#,
            r#"{"stock_id":7,"label":"right","image":"\\x00ff"}]"#
        )
    );
    assert_eq!(call(&database, "retire", r#"{"lowest":1}"#).await?, "[]");
    let held = call(&database, "retire", r#"{"lowest":6}"#).await;
    assert_eq!(super::build::refused(held, "23503").code(), "23503");
    let alice = signed_in(&database, ALICE);
    for (who, note) in [(ALICE, "a"), (ALICE, "b")] {
        let arguments = format!(r#"{{"owner":"{who}","note":"{note}"}}"#);
        assert_eq!(call(&alice, "put_mine", &arguments).await?, r#""put""#);
    }
    assert_eq!(call(&signed_in(&database, BOB), "forget_mine", "{}").await?, "[]");
    assert_eq!(call(&alice, "forget_mine", "{}").await?, r#"[{"note":"gone: a"},{"note":"gone: b"}]"#);
    assert_eq!(read(&database, "mine", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn give_rows_of_a_type(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(
        call(&database, "prices", r#"{"lowest":6}"#).await?,
        r#"[{"label":"bolt","cents":15.0,"tags":["bolt","x"]}]"#
    );
    assert_eq!(
        call(&database, "dearest", "{}").await?,
        r#"{"label":"BOLT","cents":15.0,"tags":["bolt","x"]}"#
    );
    Ok(())
}

pub(super) async fn call_one_another(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(call(&database, "log_all", r#"{"notes":["a","bad","b"]}"#).await?, "126");
    assert_eq!(notes(&database).await?, r#"[{"note":"a"},{"note":"b"}]"#);
    let alice = signed_in(&database, ALICE);
    super::build::refused(call(&alice, "archive_it", r#"{"id":1}"#).await, "42501");
    assert_eq!(call(&alice, "archive_as_owner", r#"{"id":2}"#).await?, "1");
    let archived = read(&database, "archive", Query::all()).await?;
    assert_eq!(archived, r#"[{"id":2,"name":"unnamed","amount":0}]"#);
    Ok(())
}

pub(super) async fn catch_what_they_raise_themselves(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let own = |code: &str| {
        let (database, arguments) = (database.clone(), format!(r#"{{"code":"{code}"}}"#));
        async move { call(&database, "own_code", &arguments).await }
    };
    assert_eq!(own("0A000").await?, r#""caught 0A000: not here""#);
    assert_eq!(own("MY007").await?, r#""caught MY007: not here""#);
    assert_eq!(own("53100").await?, r#""other 53100: not here""#);
    refused_saying(own("57014").await, "57014", "not here");
    Ok(())
}

pub(super) async fn catch_errors_within_triggers(env: Env<DatabaseService>) -> Outcome {
    let database = migrated(&env, "1_guarded.sql", GUARDED).await?;
    let rows =
        r#"[{"id":1,"given":"7"},{"id":2,"given":"seven"},{"id":3,"given":"none"},{"id":4,"given":null}]"#;
    insert(&database, "numbers", rows).await?;
    let numbers = Query::all().columns(&["id", "number", "note"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "numbers", numbers.clone()).await?,
        concat!(
            r#"[{"id":1,"number":7,"note":"read"},{"id":2,"number":null,"note":"22P02"},"#,
            r#"{"id":4,"number":null,"note":"read"}]"#
        )
    );
    let seen = Query::all().ordered(&["number"]);
    assert_eq!(read(&database, "seen", seen.clone()).await?, r#"[{"number":7,"times":1}]"#);
    let to = |given: &str| format!(r#"{{"given":"{given}"}}"#);
    let all = Query::all().matching(compare("id", Operator::Lte, "2"));
    database.send(Update::new(table("numbers"), to("8"), all.clone())).await?;
    assert_eq!(
        read(&database, "seen", seen.clone()).await?,
        r#"[{"number":7,"times":1},{"number":8,"times":2}]"#
    );
    refused_saying(
        database.send(Update::new(table("numbers"), to("1000"), all.clone())).await,
        "MY013",
        "1000 is too much, was 8",
    );
    database.send(Update::new(table("numbers"), r#"{"note":"mine"}"#, all.clone())).await?;
    let kept = Query::all().matching(compare("id", Operator::Eq, "1"));
    let gone = Delete::new(table("numbers"), Query::all());
    database.send(gone).await?;
    assert_eq!(read(&database, "numbers", numbers).await?, r#"[{"id":1,"number":8,"note":"mine"}]"#);
    assert_eq!(read(&database, "numbers", kept.columns(&["id"])).await?, r#"[{"id":1}]"#);
    Ok(())
}
