//! Statements in SQL.

use serde_json::{Value as Json, json};
use truststream_services::database::{DatabaseService, Query, Raw};

use super::build::{QueryExt, compact, filled, ids, refused};
use crate::{Env, Outcome};

pub(super) async fn statements_are_run_with_bound_values(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let run = async |sql: &str, parameters: Json| {
        let Json::Array(parameters) = parameters else { panic!("{parameters}") };
        database.send(Raw { parameters, ..Raw::new(sql) }).await
    };
    let page = run(
        "select a.name, count(*) as albums, max(b.price) as dearest from artists a join albums b on b.artist_id = a.id
         where a.id <= $1 and b.title <> $2 group by a.name order by a.name",
        json!([2, "it's \"none\"; drop table albums"]),
    )
    .await?;
    assert_eq!(
        compact(&page.body),
        r#"[{"name":"Ada","albums":2,"dearest":12.00},{"name":"Bo","albums":1,"dearest":null}]"#
    );
    assert_eq!(page.rows, 2);
    let page = run(
        "insert into artists (id, name) values ($1, $2) returning id, upper(name) as loud",
        json!([90, "new"]),
    )
    .await?;
    assert_eq!(compact(&page.body), r#"[{"id":90,"loud":"NEW"}]"#);
    let page = run("update artists set name = $2 where id = $1", json!(["90", Json::Null])).await;
    refused(page, "23502");
    let page = run("update artists set name = name || $2 where id = $1", json!(["90", "er"])).await?;
    assert_eq!((compact(&page.body).as_str(), page.rows), ("[]", 1));
    let page = run("delete from artists where id in ($1, $2)", json!([90, 91])).await?;
    assert_eq!(page.rows, 1);
    assert_eq!(ids(&database, "artists", Query::all().ordered(&["id"])).await?, [1, 2, 3, 4]);

    refused(run("select * from nowhere", json!([])).await, "42P01");
    refused(run("select 1; select 2", json!([])).await, "42601");
    refused(run("selekt 1", json!([])).await, "42601");
    refused(run("select * from artists where id = $1", json!(["x"])).await, "22P02");
    let read_only = Raw { read_only: true, ..Raw::new("delete from albums") };
    refused(database.send(read_only).await, "25006");
    assert_eq!(ids(&database, "albums", Query::all().ordered(&["id"])).await?.len(), 4);
    Ok(())
}
