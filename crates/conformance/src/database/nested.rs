//! What embeds show, filter and group by, beyond plain JSON of plain values.

use truststream_kernel::Result;
use truststream_services::database::language::parse_parameters;
use truststream_services::database::{
    Count, Database, DatabaseService, Delete, Invoke, Media, Query, Select, Update,
};

use super::build::{compact, filled, insert, migrated, read, refused, table};
use super::routines::posted;
use crate::{Env, Outcome};

const BOXES: &str = "
    create table boxes (id int primary key, label char(5), weight numeric, facts json);
    create table things (id int primary key, box_id int references boxes, raw bytea, size numeric);
";
const FUNCTION: &str = "
    create function full_boxes() returns setof boxes language sql stable as
      'select * from boxes where weight > 1';
";

async fn boxes(env: &Env<DatabaseService>, more: &str) -> Result<Database> {
    let database = migrated(env, "1_boxes.sql", &format!("{BOXES}{more}")).await?;
    let rows = r#"[{"id":1,"label":"ab","weight":"1.5"},{"id":2,"label":"c","weight":"1.50"},
      {"id":3,"label":null,"weight":null}]"#;
    insert(&database, "boxes", rows).await?;
    let rows = r#"[{"id":1,"box_id":1,"raw":"\\x00ff","size":"2.0"},{"id":2,"box_id":1,"raw":null,"size":null},
      {"id":3,"box_id":2,"raw":null,"size":"2"},{"id":4,"box_id":null,"raw":null,"size":null}]"#;
    insert(&database, "things", rows).await?;
    Ok(database)
}

/// The query that a query string asks for.
fn query(text: &str) -> Result<Query> {
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    parse_parameters(pairs).map(|found| found.query)
}

async fn csv(database: &Database, name: &str, text: &str) -> Result<String> {
    let mut select = Select::new(table(name), query(text)?);
    select.format.media = Media::Csv;
    let page = database.send(select).await?;
    Ok(String::from_utf8_lossy(&page.body).replace(' ', "").replace('\n', "|"))
}

pub(super) async fn values_are_shown_as_they_are(env: Env<DatabaseService>) -> Outcome {
    let database = boxes(&env, "").await?;
    assert_eq!(
        read(
            &database,
            "boxes",
            query("select=label,text:label::text,things(raw)&order=id&things.order=id")?
        )
        .await?,
        r#"[{"label":"ab   ","text":"ab","things":[{"raw":"\\x00ff"},{"raw":null}]},{"label":"c    ","text":"c","things":[{"raw":null}]},{"label":null,"text":null,"things":[]}]"#
    );
    assert_eq!(
        csv(&database, "things", "select=id,box:boxes(weight),...boxes(label::text)&order=id").await?,
        r#"id,box,label|1,"{""weight"":1.5}",ab|2,"{""weight"":1.5}",ab|3,"{""weight"":1.50}",c|4,,"#
    );
    assert_eq!(
        csv(&database, "boxes", "select=id,...things(size,raw)&order=id&things.order=id").await?,
        r#"id,size,raw|1,"[2.0,null]","[""\\\\x00ff"",null]"|2,[2],[null]|3,[],[]"#
    );
    Ok(())
}

/// Numbers within what is embedded are equal however they are written; what is spread from several rows
/// makes no groups of those it is spread into.
pub(super) async fn groups_are_of_equal_embeds(env: Env<DatabaseService>) -> Outcome {
    let database = boxes(&env, "").await?;
    let found = read(&database, "things", query("select=count(),boxes!inner(weight)")?).await?;
    assert!(found.starts_with(r#"[{"count":3,"boxes":{"weight":1.5"#), "{found}");
    assert_eq!(
        read(&database, "things", query("select=id,boxes!inner(id,...things(size.max()))&order=id")?).await?,
        r#"[{"id":1,"boxes":{"id":1,"max":[2.0]}},{"id":2,"boxes":{"id":1,"max":[2.0]}},{"id":3,"boxes":{"id":2,"max":[2]}}]"#
    );
    assert_eq!(
        read(&database, "boxes", query("select=id,things!inner(...boxes(id.count()))&order=id")?).await?,
        r#"[{"id":1,"things":[{"count":2}]},{"id":2,"things":[{"count":1}]},{"id":3,"things":[{"count":0}]}]"#
    );
    Ok(())
}

pub(super) async fn wrong_ones_are_refused_where_nothing_is_shown(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    for unrelated in ["select=id,everything()", "select=id,...everything()"] {
        refused(read(&database, "artists", query(unrelated)?).await, "PGRST200");
    }
    refused(read(&database, "artists", query("select=id,...albums()&albums.id=eq.x")?).await, "22P02");
    // Who writes has no embeds to filter by.
    let absent = query("select=id,albums(id)&albums=is.null")?;
    let update = Update::new(table("artists"), r#"{"country":"NO"}"#, absent.clone());
    refused(database.send(update).await, "42703");
    refused(database.send(Delete::new(table("artists"), absent)).await, "42703");
    Ok(())
}

pub(super) async fn operators_that_json_has_not_are_refused(env: Env<DatabaseService>) -> Outcome {
    let database = boxes(&env, "").await?;
    for text in ["facts=eq(any).{}", "facts->a=eq.1", "facts->a=cs.{}", "weight=like(all).{}"] {
        refused(read(&database, "boxes", query(text)?).await, "42883");
    }
    Ok(())
}

pub(super) async fn results_of_functions_are_counted_alike(env: Env<DatabaseService>) -> Outcome {
    let database = boxes(&env, FUNCTION).await?;
    let called = |text: &str| {
        let call = Invoke { count: Some(Count::Exact), ..posted("full_boxes", "{}") };
        Result::<_>::Ok(Invoke { query: query(text)?, ..call })
    };
    refused(database.send(called("offset=3")?).await, "PGRST103");
    // The total is of all that match, whatever page is wanted of what they embed.
    let page = database.send(called("select=id,things!inner(id)&things.offset=1&things.order=id")?).await?;
    assert_eq!((compact(&page.body).as_str(), page.total), (r#"[{"id":1,"things":[{"id":2}]}]"#, Some(2)));
    Ok(())
}
