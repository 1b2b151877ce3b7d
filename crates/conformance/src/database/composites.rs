//! Columns of composite types: objects in JSON, records as texts.

use truststream_kernel::Result;
use truststream_services::database::{
    Database, DatabaseService, Field, Filter, Is, Item, JsonKey, JsonStep, Media, Operand, Operator, Order,
    Query, Select,
};

use super::build::{
    QueryExt, compact, compare, ids, insert, insert_returning, migrated, read, refused, refused_saying,
    table, update_returning,
};
use super::routines::call;
use crate::{Env, Outcome};

const COMPOSITES: &str = include_str!("composites.sql");

async fn placed(env: &Env<DatabaseService>) -> Result<Database> {
    migrated(env, "1_composites.sql", COMPOSITES).await
}

/// A field of column `at`: `->x`, `->>label`.
fn field(path: &str) -> Field {
    let key = JsonKey::Key(path.trim_start_matches(['-', '>']).to_owned());
    Field { path: vec![JsonStep { key, as_text: path.starts_with("->>") }], ..Field::column("at") }
}

pub(super) async fn are_read_as_objects(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    let at = Query::all().columns(&["at"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "places", at.clone()).await?,
        concat!(
            r#"[{"at":{"x":1,"y":0.50,"label":"a, b"}},{"at":{"x":2,"y":null,"label":""}},"#,
            r#"{"at":{"x":null,"y":null,"label":null}},{"at":null}]"#
        )
    );
    let mut csv = Select::new(table("places"), Query::all().columns(&["id", "at"]).ordered(&["id"]));
    csv.format.media = Media::Csv;
    let page = database.send(csv).await?;
    assert_eq!(
        String::from_utf8_lossy(&page.body),
        "id,at\n1,\"(1,0.50,\"\"a, b\"\")\"\n2,\"(2,,\"\"\"\")\"\n3,\"(,,)\"\n4,"
    );
    let visits = Query::all().columns(&["stay"]).ordered(&["id"]);
    assert_eq!(
        read(&database, "visits", visits).await?,
        concat!(
            r#"[{"stay":{"at":{"x":3,"y":1,"label":"c"},"since":"2024-01-02T03:04:05+00:00","#,
            r#""feels":"ok","tags":["a","b c"],"done":true}}]"#
        )
    );
    let embedded = Query::all().columns(&["id"]).embedding("places", &["at"]);
    assert_eq!(
        read(&database, "visits", embedded).await?,
        r#"[{"id":1,"places":{"at":{"x":1,"y":0.50,"label":"a, b"}}}]"#
    );
    Ok(())
}

pub(super) async fn show_moments_in_the_zone_of_the_request(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    let mut visit = insert_returning(
        "visits",
        r#"{"id":2,"place_id":1,"home":null,"open":"[2024-07-01 08:00,)","stay":{"since":"2024-07-01 08:00"}}"#,
    );
    visit.query = Query::all().columns(&["id"]);
    visit.options.transaction.time_zone = Some("America/New_York".into());
    database.send(visit).await?;
    let shown = |zone: Option<&str>, media: Media| {
        let mut query = Query::all().columns(&["stay", "open"]).ordered(&["id"]);
        let text = Item::Column {
            field: Field::column("stay"),
            alias: Some("text".into()),
            cast: Some("text".into()),
            aggregate: None,
        };
        query.items.push(text);
        let mut select = Select::new(table("visits"), query);
        select.format.media = media;
        select.transaction.time_zone = zone.map(str::to_owned);
        let database = database.clone();
        async move { database.send(select).await.map(|page| String::from_utf8_lossy(&page.body).into_owned()) }
    };
    let csv = |since: [&str; 2], open: &str| {
        let first = format!(r#""(""(3,1,c)"",""{}"",ok,""{{a,""""b c""""}}"",t)""#, since[0]);
        let second = format!(r#""(,""{}"",,,)""#, since[1]);
        let open = format!(r#""[""{open}"",)""#);
        format!("stay,open,text\n{first},,{first}\n{second},{open},{second}")
    };
    assert_eq!(
        shown(None, Media::Csv).await?,
        csv(["2024-01-02 03:04:05+00", "2024-07-01 12:00:00+00"], "2024-07-01 12:00:00+00")
    );
    let there = csv(["2024-01-02 04:04:05+01", "2024-07-01 14:00:00+02"], "2024-07-01 14:00:00+02");
    assert_eq!(shown(Some("Europe/Berlin"), Media::Csv).await?, there);
    let json = shown(Some("Europe/Berlin"), Media::Json).await?;
    for part in [
        r#""since":"2024-07-01T14:00:00+02:00""#,
        r#""open":"[\"2024-07-01 14:00:00+02\",)""#,
        r#""text":"(,\"2024-07-01 14:00:00+02\",,,)""#,
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    Ok(())
}

pub(super) async fn are_written_as_objects_and_as_records(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    let rows =
        r#"[{"id":5,"at":{"label":"q\"\\","x":7}},{"id":6,"at":"( 8 ,1.5,\"z\"\"\")"},{"id":7,"at":null}]"#;
    let mut request = insert_returning("places", rows);
    request.query = Query::all().columns(&["at"]);
    assert_eq!(
        compact(&database.send(request).await?.body),
        r#"[{"at":{"x":7,"y":null,"label":"q\"\\"}},{"at":{"x":8,"y":1.5,"label":"z\""}},{"at":null}]"#
    );
    let mut update = update_returning(
        "places",
        r#"{"at":{"x":9,"y":2}}"#,
        Query::all().matching(compare("id", Operator::Eq, "5")),
    );
    update.query.items = vec![Item::column("at")];
    assert_eq!(compact(&database.send(update).await?.body), r#"[{"at":{"x":9,"y":2,"label":null}}]"#);
    assert_eq!(
        read(&database, "visits", Query::all().columns(&["home"])).await?,
        r#"[{"home":{"x":0,"y":0,"label":"home"}}]"#
    );
    let put = |at: &str| {
        let (database, row) = (database.clone(), format!(r#"{{"id":20,"at":{at}}}"#));
        async move { insert(&database, "places", &row).await }
    };
    let error = refused_saying(put(r#""(1)""#).await, "22P02", "malformed record literal: \"(1)\"");
    assert_eq!(super::build::details(&error), "Too few columns.");
    refused(put(r#""(1,2,3,4)""#).await, "22P02");
    refused(put(r#""1,2,3""#).await, "22P02");
    refused(put(r#"{"x":"one"}"#).await, "22P02");
    refused(put(r#"{"label":"much too long"}"#).await, "22001");
    refused_saying(put("[1,2]").await, "22023", "cannot call populate_composite on an array");
    let wrong = r#"{"id":9,"place_id":1,"stay":{"feels":"odd"}}"#;
    refused(insert(&database, "visits", wrong).await, "22P02");
    Ok(())
}

pub(super) async fn are_filtered_by_their_fields_and_whole(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    let mut fields = Query::all().ordered(&["id"]);
    fields.items = vec![Item::column("id"), item(field("->x")), item(field("->>label"))];
    assert_eq!(
        read(&database, "places", fields).await?,
        concat!(
            r#"[{"id":1,"x":1,"label":"a, b"},{"id":2,"x":2,"label":""},"#,
            r#"{"id":3,"x":null,"label":null},{"id":4,"x":null,"label":null}]"#
        )
    );
    let where_field = |path: &str, operator, literal: &str| {
        let Filter::Compare(mut comparison) = compare("at", operator, literal) else { return Query::all() };
        comparison.field = field(path);
        Query::all().matching(Filter::Compare(comparison))
    };
    assert_eq!(ids(&database, "places", where_field("->>label", Operator::Eq, "a, b")).await?, [1]);
    assert_eq!(ids(&database, "places", where_field("->x", Operator::Gt, "1")).await?, [2]);
    let whole = |operator, literal: &str| Query::all().matching(compare("at", operator, literal));
    for operator in [Operator::Eq, Operator::Neq, Operator::Gt, Operator::IsDistinct] {
        let message = "input of anonymous composite types is not implemented";
        refused_saying(ids(&database, "places", whole(operator, "(1,0.5,a)")).await, "0A000", message);
    }
    refused(ids(&database, "places", whole(Operator::Like, "a")).await, "42883");
    let is = |is| {
        let Filter::Compare(mut comparison) = compare("at", Operator::Is, "null") else {
            return Query::all();
        };
        comparison.operand = Operand::Is(is);
        Query::all().matching(Filter::Compare(comparison))
    };
    assert_eq!(ids(&database, "places", is(Is::Null)).await?, [3, 4]);
    assert_eq!(ids(&database, "places", is(Is::NotNull)).await?, [1]);
    let mut ordered = Query::all();
    ordered.order = vec![Order { relation: None, field: field("->x"), descending: true, nulls: None }];
    assert_eq!(ids(&database, "places", ordered).await?, [4, 2, 1, 3]);
    Ok(())
}

pub(super) async fn are_taken_apart_within_one_another(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    assert_eq!(
        read(&database, "stays", Query::all()).await?,
        r#"[{"id":1,"x":3,"named":"c","door":{"x":3,"y":1,"label":"c"}}]"#
    );
    let nearer = Query::all().columns(&["x"]).matching(compare("x", Operator::Lt, "4"));
    assert_eq!(read(&database, "stays", nearer).await?, r#"[{"x":3}]"#);
    Ok(())
}

pub(super) async fn are_taken_apart_in_functions(env: Env<DatabaseService>) -> Outcome {
    let database = placed(&env).await?;
    assert_eq!(call(&database, "farthest", "{}").await?, "2");
    assert_eq!(call(&database, "labelled", r#"{"x":1,"label":"a, b"}"#).await?, "[1]");
    assert_eq!(
        call(&database, "put_place", r#"{"id":8,"x":5,"label":"new"}"#).await?,
        r#"{"id":8,"at":{"x":5,"y":1.25,"label":"new"}}"#
    );
    assert_eq!(call(&database, "door_at", r#"{"x":4,"y":2}"#).await?, r#"{"x":4,"y":2,"label":null}"#);
    refused(insert(&database, "places", r#"{"id":9,"at":{"x":-1}}"#).await, "23514");
    refused(
        insert(&database, "visits", r#"{"id":2,"place_id":1,"home":{"x":0,"y":0,"label":"home"}}"#).await,
        "23505",
    );
    Ok(())
}

fn item(field: Field) -> Item {
    Item::Column { field, alias: None, cast: None, aggregate: None }
}
