//! Functions in SQL, called by name.

use truststream_kernel::Result;
use truststream_services::database::{
    Arguments, Database, DatabaseService, Filter, Format, Insert, Invoke, Item, Media, Migrate,
    NamedArgument, Page, Query, Transaction,
};

use super::build::{
    ALICE, BOB, QueryExt, as_role, compact, filled, ids, insert, migrated, read, refused, refused_saying,
    signed_in, table,
};
use crate::{Env, Outcome};

const ROUTINES: &str = include_str!("routines.sql");

/// The filled database with functions and views on top.
pub(super) async fn programmed(env: &Env<DatabaseService>) -> Result<Database> {
    let database = filled(env).await?;
    let migration = Migrate { name: "2_routines.sql".into(), sql: ROUTINES.into(), dry_run: false };
    database.send(migration).await?;
    Ok(database)
}

fn invoke(function: &str, arguments: Arguments) -> Invoke {
    Invoke {
        function: table(function),
        arguments,
        query: Query::all(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    }
}

pub(super) fn posted(function: &str, arguments: &str) -> Invoke {
    invoke(function, Arguments::Json(arguments.to_owned().into()))
}

pub(super) async fn call(database: &Database, function: &str, arguments: &str) -> Result<String> {
    database.send(posted(function, arguments)).await.map(|page: Page| compact(&page.body))
}

async fn taking(database: &Database, function: &str, arguments: &str, query: Query) -> Result<String> {
    let call = Invoke { query, ..posted(function, arguments) };
    database.send(call).await.map(|page| compact(&page.body))
}

pub(super) async fn run_every_statement(env: Env<DatabaseService>) -> Outcome {
    let sql = "
        create function stop() returns void language plpgsql as $$ begin raise 'stop here'; end $$;
        create function divided(n int) returns int language sql as 'select 10 / n; select 5';
        create function quietly(n int) returns void language sql as 'select 10 / n';";
    let database = migrated(&env, "1_failing.sql", sql).await?;
    refused_saying(call(&database, "stop", "{}").await, "P0001", "stop here");
    assert_eq!(call(&database, "divided", r#"{"n":2}"#).await?, "5");
    refused(call(&database, "divided", r#"{"n":0}"#).await, "22012");
    call(&database, "quietly", r#"{"n":1}"#).await?;
    refused(call(&database, "quietly", r#"{"n":0}"#).await, "22012");
    Ok(())
}

pub(super) async fn give_one_value(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    assert_eq!(call(&database, "shout", r#"{"words":"hé"}"#).await?, r#""HÉ!""#);
    assert_eq!(call(&database, "shout", r#"{"words":"a","mark":"?"}"#).await?, r#""A?""#);
    assert_eq!(call(&database, "shout", r#"{"words":null}"#).await?, "null");
    assert_eq!(call(&database, "quadruple", r#"{"n":3}"#).await?, "12");
    assert_eq!(call(&database, "total", r#"{"numbers":[1,2,3]}"#).await?, "6");
    for (part, whole, share, rest) in [
        ("1", "3", "0.33333333333333333333", "1"),
        ("-7.5", "2", "-3.7500000000000000", "-1.5"),
        ("100000", "7", "14285.714285714286", "5"),
        ("12345678901234567891.1", "0.5", "24691357802469135782.2", "0.1"),
    ] {
        let arguments = format!(r#"{{"part":{part},"whole":{whole}}}"#);
        assert_eq!(call(&database, "share", &arguments).await?, share);
        assert_eq!(call(&database, "rest", &arguments).await?, rest);
    }
    refused(call(&database, "share", r#"{"part":1,"whole":0.0}"#).await, "22012");
    assert_eq!(call(&database, "only_strict", r#"{"a":1,"b":null}"#).await?, "null");
    assert_eq!(call(&database, "only_strict", r#"{"a":1,"b":2}"#).await?, "3");
    assert_eq!(call(&database, "echo", r#"{"a":{"b":[1,2]}}"#).await?, r#"{"b":[1,2]}"#);
    assert_eq!(
        call(&database, "report", r#"{"artist":1}"#).await?,
        r#"{"name":"Ada","titles":["One","Two"]}"#
    );
    assert_eq!(call(&database, "report", r#"{"artist":99}"#).await?, "null");
    refused(call(&database, "quadruple", r#"{"n":"x"}"#).await, "22P02");
    refused(call(&database, "shout", "{}").await, "PGRST202");
    refused(call(&database, "twice", r#"{"n":1}"#).await, "PGRST203");
    Ok(())
}

pub(super) async fn take_and_give_values_of_any_length(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let sql = "create function whole(word char(3), others varchar(2)[], part numeric(3,1))
        returns table (a char(2), b varchar(1)[], c numeric(3,1)) language sql as 'select $1, $2, $3';
        create function bare(word char) returns char language sql as 'select $1';";
    database.send(Migrate { name: "3_lengths.sql".into(), sql: sql.into(), dry_run: false }).await?;
    assert_eq!(
        call(&database, "whole", r#"{"word":"abcdef","others":["abc","d"],"part":1234.567}"#).await?,
        r#"[{"a":"abcdef","b":["abc","d"],"c":1234.567}]"#
    );
    assert_eq!(call(&database, "bare", r#"{"word":"abc"}"#).await?, r#""abc""#);
    Ok(())
}

pub(super) async fn are_called_by_get(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let named = |name: &str, value: &str, filter: Option<Filter>| NamedArgument {
        name: name.into(),
        value: value.into(),
        filter,
    };
    let get = |function: &str, arguments: Vec<NamedArgument>| Invoke {
        read_only: true,
        ..invoke(function, Arguments::Named(arguments))
    };
    let numbers = ["4", "5"].map(|number| named("numbers", number, None)).to_vec();
    assert_eq!(compact(&database.send(get("total", numbers)).await?.body), "9");
    let cheap = Filter::eq("id", "2");
    let arguments = vec![named("artist", "Ada", None), named("id", "eq.2", Some(cheap))];
    let mut albums = get("albums_of", arguments);
    albums.query.items = vec![Item::column("title")];
    assert_eq!(compact(&database.send(albums).await?.body), r#"[{"title":"Two"}]"#);
    let writing = get("add_artist", vec![named("id", "9", None), named("name", "Zoe", None)]);
    refused_saying(database.send(writing).await, "25006", "cannot execute INSERT in a read-only transaction");
    Ok(())
}

pub(super) async fn give_rows_to_take_from(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let ada = r#"{"artist":"Ada"}"#;
    let shown = || Query::all().columns(&["id", "price"]).ordered(&["price"]);
    assert_eq!(
        taking(&database, "albums_of", ada, shown()).await?,
        r#"[{"id":1,"price":9.50},{"id":2,"price":12.00}]"#
    );
    let one = Query { limit: Some(1), offset: 1, ..shown() };
    assert_eq!(taking(&database, "albums_of", ada, one).await?, r#"[{"id":2,"price":12.00}]"#);
    let matching = shown().matching(Filter::eq("title", "One"));
    assert_eq!(taking(&database, "albums_of", ada, matching).await?, r#"[{"id":1,"price":9.50}]"#);
    let embedding = Query::all().columns(&["title"]).ordered(&["id"]).embedding("artists", &["name"]);
    assert_eq!(
        taking(&database, "albums_of", ada, embedding).await?,
        r#"[{"title":"One","artists":{"name":"Ada"}},{"title":"Two","artists":{"name":"Ada"}}]"#
    );
    let title = || Query::all().columns(&["title"]);
    assert_eq!(taking(&database, "first_album", "{}", title()).await?, r#"{"title":"One"}"#);
    assert_eq!(taking(&database, "no_album", "{}", title()).await?, r#"{"title":null}"#);
    assert_eq!(call(&database, "prices", "{}").await?, "[0.99,9.50,12.00]");
    let mut csv = posted("latest", "{}");
    csv.query = Query::all().ordered(&["artist_id"]);
    csv.format.media = Media::Csv;
    assert_eq!(database.send(csv).await?.body, "artist_id,title\n1,Two\n2,Three");
    refused(taking(&database, "albums_of", ada, Query::all().columns(&["nope"])).await, "42703");
    Ok(())
}

pub(super) async fn query_as_postgres_does(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let ordered = |column: &str| Query::all().ordered(&[column]);
    assert_eq!(
        taking(&database, "statistics", "{}", ordered("artist")).await?,
        r#"[{"artist":"Ada","albums":2,"dearest":12.00,"titles":["One"],"newest":"2021-06-01T10:30:00.5+00:00"},{"artist":"Bo","albums":1,"dearest":null,"titles":["Three"],"newest":"2019-01-01T00:00:00+00:00"}]"#
    );
    assert_eq!(
        taking(
            &database,
            "statistics",
            r#"{"first_id":2}"#,
            ordered("artist").columns(&["albums", "titles"])
        )
        .await?,
        r#"[{"albums":1,"titles":null},{"albums":1,"titles":["Three"]}]"#
    );
    assert_eq!(
        taking(&database, "ranked", "{}", ordered("title")).await?,
        r#"[{"title":"Four","place":1,"before":"Three"},{"title":"One","place":2,"before":null},{"title":"Three","place":1,"before":"Two"},{"title":"Two","place":1,"before":"One"}]"#
    );
    assert_eq!(
        taking(&database, "latest", "{}", ordered("artist_id")).await?,
        r#"[{"artist_id":1,"title":"Two"},{"artist_id":2,"title":"Three"}]"#
    );
    assert_eq!(
        call(&database, "words", "{}").await?,
        r#"[{"word":"Ada"},{"word":"Ada"},{"word":"Bo"},{"word":"One"}]"#
    );
    assert_eq!(call(&database, "released_in", r#"{"year":2021}"#).await?, r#"["Two"]"#);
    Ok(())
}

pub(super) async fn write_what_they_say(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    let shown = Query::all().columns(&["name", "country", "feels"]);
    assert_eq!(
        taking(&database, "add_artist", r#"{"id":9,"name":"Zoe"}"#, shown).await?,
        r#"{"name":"Zoe","country":null,"feels":"ok"}"#
    );
    let again = refused(call(&database, "add_artist", r#"{"id":10,"name":"Zoe"}"#).await, "23505");
    assert_eq!(again.message(), "duplicate key value violates unique constraint \"artists_name_key\"");
    assert_eq!(call(&database, "rename_all", r#"{"suffix":"+"}"#).await?, "[1,3,4]");
    assert_eq!(call(&database, "keep_genre", r#"{"code":"a","name":"Air"}"#).await?, r#""Ambient/Air""#);
    assert_eq!(call(&database, "keep_genre", r#"{"code":"q","name":"Quiet"}"#).await?, r#""Quiet""#);
    let page = database.send(posted("forget", r#"{"artist":2}"#)).await?;
    assert_eq!((page.status, page.body.len()), (Some(204), 0));
    assert_eq!(ids(&database, "albums", Query::all()).await?, [1, 2, 4]);
    let names = read(&database, "artists", Query::all().columns(&["name"]).ordered(&["id"])).await?;
    assert_eq!(names, r#"[{"name":"Ada+"},{"name":"çelik+"},{"name":"D%_x+"},{"name":"Zoe"}]"#);
    let mut undone = posted("forget", r#"{"artist":3}"#);
    undone.transaction.rollback = true;
    database.send(undone).await?;
    assert_eq!(ids(&database, "artists", Query::all()).await?.len(), 4);
    Ok(())
}

pub(super) async fn obey_policies_unless_they_are_definers(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    insert(&database, "vault", r#"{"id":1,"secret":"s"}"#).await?;
    let notes = format!(
        r#"[{{"id":1,"owner":"{ALICE}","body":"a","shared":true}},{{"id":2,"owner":"{BOB}","body":"b","shared":true}}]"#
    );
    insert(&database, "notes", &notes).await?;
    let alice = signed_in(&database, ALICE);
    assert_eq!(call(&alice, "secrets", "{}").await?, "[]");
    assert_eq!(call(&alice, "all_secrets", "{}").await?, r#"["s"]"#);
    assert_eq!(call(&as_role(&database, "service_role"), "secrets", "{}").await?, r#"["s"]"#);
    let note = |id: i64, owner: &str| format!(r#"{{"id":{id},"owner":"{owner}","body":"new"}}"#);
    assert_eq!(call(&alice, "add_note", &note(3, ALICE)).await?, r#""new""#);
    let message = "new row violates row-level security policy for table \"notes\"";
    refused_saying(call(&alice, "add_note", &note(4, BOB)).await, "42501", message);
    assert_eq!(call(&alice, "drop_notes", "{}").await?, "[1,3]");
    assert_eq!(ids(&database, "notes", Query::all()).await?, [2]);
    let denied = "permission denied for function for_service";
    refused_saying(call(&alice, "for_service", "{}").await, "42501", denied);
    assert_eq!(call(&as_role(&database, "service_role"), "for_service", "{}").await?, "1");
    Ok(())
}

pub(super) async fn decide_in_policies(env: Env<DatabaseService>) -> Outcome {
    let database = programmed(&env).await?;
    insert(&database, "teams", r#"[{"id":1,"name":"one"},{"id":2,"name":"two"},{"id":3,"name":"three"}]"#)
        .await?;
    let members = format!(
        r#"[{{"team_id":1,"who":"{ALICE}"}},{{"team_id":1,"who":"{BOB}"}},{{"team_id":2,"who":"{BOB}"}}]"#
    );
    insert(&database, "members", &members).await?;
    let (alice, bob) = (signed_in(&database, ALICE), signed_in(&database, BOB));
    assert_eq!(ids(&alice, "teams", Query::all()).await?, [1]);
    assert_eq!(ids(&bob, "teams", Query::all()).await?, [1, 2]);
    assert_eq!(ids(&as_role(&database, "anon"), "teams", Query::all()).await?, [0_i64; 0]);
    let seen = read(&alice, "members", Query::all().columns(&["team_id"])).await?;
    assert_eq!(seen, r#"[{"team_id":1},{"team_id":1}]"#);
    assert_eq!(call(&alice, "is_member", r#"{"team":1}"#).await?, "true");
    assert_eq!(call(&alice, "is_member", r#"{"team":2}"#).await?, "false");
    refused(alice.send(Insert::new(table("teams"), r#"{"id":4,"name":"x"}"#.to_owned())).await, "42501");
    Ok(())
}
