//! Names that do not exist, and names that need care.

use std::sync::Arc;

use truststream_engines::database::DatabaseLayer;
use truststream_kernel::{Context, Error, ErrorKind, Layer};
use truststream_services::database::{
    Database, DatabaseService, Delete, Filter, Insert, Item, Migrate, Query, Select, TableName, Update,
};

use super::build::{
    QueryExt, as_role, ascending, embed, filled, insert, read, ready, refused, refused_saying, table,
};
use crate::{Env, Outcome};

pub(super) async fn unknown_tables(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let nowhere = || table("nowhere");
    let message = "Could not find the table 'public.nowhere' in the schema cache";
    let error =
        refused_saying(database.send(Select::new(nowhere(), Query::all())).await, "PGRST205", message);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    refused(database.send(Insert::new(nowhere(), "{}")).await, "PGRST205");
    refused(database.send(Update::new(nowhere(), "{}", Query::all())).await, "PGRST205");
    refused(database.send(Delete::new(nowhere(), Query::all())).await, "PGRST205");
    let error = refused(database.send(Select::new(table("artist"), Query::all())).await, "PGRST205");
    assert_eq!(error.hint(), Some("Perhaps you meant the table 'public.artists'"));
    let injected = TableName::public("artists\"; drop table artists; --");
    refused(database.send(Select::new(injected, Query::all())).await, "PGRST205");
    Ok(())
}

pub(super) async fn unknown_columns(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let message = "column artists.nope does not exist";
    let chosen = Query::all().columns(&["id", "nope"]);
    refused_saying(read(&database, "artists", chosen).await, "42703", message);
    let filtered = Query::all().matching(Filter::eq("nope", "1"));
    refused_saying(read(&database, "artists", filtered).await, "42703", message);
    let ordered = Query { order: vec![ascending("nope")], ..Query::all() };
    refused_saying(read(&database, "artists", ordered).await, "42703", message);
    let message = "Could not find the 'nope' column of 'artists' in the schema cache";
    refused_saying(insert(&database, "artists", r#"{"name":"x","nope":1}"#).await, "PGRST204", message);
    let query = Query::all().matching(Filter::eq("id", "1"));
    let update = Update::new(table("artists"), r#"{"nope":1}"#.to_owned(), query);
    refused_saying(database.send(update).await, "PGRST204", message);
    Ok(())
}

pub(super) async fn odd_names(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let odd = "odd \"names\"";
    let row = r#"{"primary":1,"two words":"a","naïve":"b","UPPER":"c"}"#;
    insert(&database, odd, row).await?;
    assert_eq!(read(&database, odd, Query::all()).await?, format!("[{row}]"));
    let query = Query::all().columns(&["UPPER"]).matching(Filter::eq("two words", "a")).ordered(&["naïve"]);
    assert_eq!(read(&database, odd, query).await?, r#"[{"UPPER":"c"}]"#);
    let query = Query::all().matching(Filter::eq("primary", "1"));
    database.send(Update::new(table(odd), r#"{"naïve":"z"}"#.to_owned(), query)).await?;
    let query = Query::all().columns(&["naïve"]);
    assert_eq!(read(&database, odd, query).await?, r#"[{"naïve":"z"}]"#);
    Ok(())
}

pub(super) async fn ambiguities_name_what_the_caller_may_see(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    let tables = "
        create table ports (id bigint primary key);
        create table ships (id bigint primary key, home bigint constraint at_home references ports,
          bound_for bigint constraint on_the_way references ports);
        create table calls (ship bigint references ships, port bigint references ports, primary key (ship, port));
        create table raids (ship bigint references ships, port bigint references ports, primary key (ship, port));
        grant select on ports, ships, calls to anon;";
    database.send(Migrate { name: "2_ships.sql".into(), sql: tables.into(), dry_run: false }).await?;
    let layered = DatabaseLayer.wrap(Arc::clone(database.stack()));
    let layered = Database::new(layered, Context::system());
    let query = Query { items: vec![Item::Embed(embed("ports", &["id"]))], ..Query::all() };
    let details = |error: &Error| error.details().map(ToString::to_string).unwrap_or_default();
    for (caller, sees) in [(layered.clone(), true), (as_role(&layered, "anon"), false)] {
        let error = refused(read(&caller, "ships", query.clone()).await, "PGRST201");
        let told = format!("{} {}", error.hint().unwrap_or_default(), details(&error));
        for name in ["ports!at_home", "ports!on_the_way", "ports!calls", "calls_ship_fkey"] {
            assert!(told.contains(name), "{name} is missing: {told}");
        }
        assert_eq!(told.contains("raids"), sees, "{told}");
    }
    // Where nothing may be named there is no hint.
    let stranger = read(&as_role(&layered, "authenticated"), "ships", query).await;
    let told = stranger.map_err(|error| format!("{:?} {}", error.hint(), details(&error)));
    assert!(told.as_ref().is_err_and(|told| told.starts_with("None") && !told.contains("ports")), "{told:?}");
    Ok(())
}
