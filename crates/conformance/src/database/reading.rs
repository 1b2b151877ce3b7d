//! Columns, order, pages and counts.

use truststream_services::database::{
    Count, DatabaseService, Field, Filter, Item, JsonKey, JsonStep, Media, Nulls, Order, Query, Select,
};

use super::build::{QueryExt, ascending, filled, ids, insert, read, ready, refused, table};
use crate::{Env, Outcome};

pub(super) async fn all_columns_of_all_rows(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let rows = read(&database, "artists", Query::all().ordered(&["id"])).await?;
    assert_eq!(
        rows,
        concat!(
            r#"[{"id":1,"name":"Ada","country":"SE","born":"1970-05-04","feels":"happy"},"#,
            r#"{"id":2,"name":"Bo","country":null,"born":"1980-12-31","feels":"ok"},"#,
            r#"{"id":3,"name":"çelik","country":"TR","born":null,"feels":"sad"},"#,
            r#"{"id":4,"name":"D%_x","country":"SE","born":"1999-01-01","feels":"ok"}]"#
        )
    );
    Ok(())
}

pub(super) async fn chosen_columns_renamed_and_cast(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cast = |name: &str, alias: &str, cast: &str| Item::Column {
        field: Field::column(name),
        alias: Some(alias.into()),
        cast: Some(cast.into()),
        aggregate: None,
    };
    let mut query = Query::all().ordered(&["id"]);
    query.items = vec![Item::column("name"), cast("id", "number", "text")];
    query.limit = Some(1);
    assert_eq!(read(&database, "artists", query).await?, r#"[{"name":"Ada","number":"1"}]"#);
    Ok(())
}

pub(super) fn path(column: &str, keys: &[&str], as_text: bool) -> Field {
    let last = keys.len().saturating_sub(1);
    let step = |(at, key): (usize, &&str)| JsonStep {
        key: key.parse().map_or_else(|_| JsonKey::Key((*key).into()), JsonKey::Index),
        as_text: as_text && at == last,
    };
    Field { name: column.into(), path: keys.iter().enumerate().map(step).collect() }
}

pub(super) async fn paths_into_json(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let item = |keys: &[&str], as_text: bool, alias: Option<&str>| Item::Column {
        field: path("facts", keys, as_text),
        alias: alias.map(str::to_owned),
        cast: None,
        aggregate: None,
    };
    let mut query = Query::all().ordered(&["id"]);
    query.items = vec![
        item(&["a"], false, None),
        item(&["a", "b", "1"], false, Some("second")),
        item(&["n"], true, Some("text")),
        item(&["-1"], true, Some("last")),
    ];
    assert_eq!(
        read(&database, "albums", query).await?,
        concat!(
            r#"[{"a":{"b":[10,20]},"second":20,"text":"5","last":null},"#,
            r#"{"a":1,"second":null,"text":null,"last":null},"#,
            r#"{"a":null,"second":null,"text":null,"last":null},"#,
            r#"{"a":null,"second":null,"text":null,"last":"two"}]"#
        )
    );
    Ok(())
}

fn by(field: &str, descending: bool, nulls: Option<Nulls>) -> Order {
    Order { descending, nulls, ..ascending(field) }
}

pub(super) async fn orders(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases = [
        ("artists", vec![by("name", false, None)], [1, 2, 4, 3]),
        ("artists", vec![by("feels", false, None), by("id", true, None)], [3, 4, 2, 1]),
        ("albums", vec![by("released", true, None)], [4, 2, 1, 3]),
        ("albums", vec![by("title", true, None)], [2, 3, 1, 4]),
    ];
    for (name, order, expected) in cases {
        let query = Query { order: order.clone(), ..Query::all() };
        assert_eq!(ids(&database, name, query).await?, expected, "{order:?}");
    }
    Ok(())
}

pub(super) async fn nulls_go_where_they_are_told(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases = [
        (by("price", false, None), [4, 1, 2, 3]),
        (by("price", true, None), [3, 2, 1, 4]),
        (by("price", false, Some(Nulls::First)), [3, 4, 1, 2]),
        (by("price", true, Some(Nulls::Last)), [2, 1, 4, 3]),
    ];
    for (order, expected) in cases {
        let query = Query { order: vec![order.clone()], ..Query::all() };
        assert_eq!(ids(&database, "albums", query).await?, expected, "{order:?}");
    }
    Ok(())
}

pub(super) async fn limits_and_offsets(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let cases: [(Option<u64>, u64, &[i64]); 5] =
        [(Some(2), 0, &[1, 2]), (Some(2), 1, &[2, 3]), (None, 3, &[4]), (Some(0), 0, &[]), (Some(9), 9, &[])];
    for (limit, offset, expected) in cases {
        let query = Query { limit, offset, ..Query::all() };
        assert_eq!(ids(&database, "artists", query).await?, expected, "{limit:?} {offset}");
    }
    Ok(())
}

pub(super) async fn counts(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let counted = |limit: u64, offset: u64| {
        let query = Query { limit: Some(limit), offset, ..Query::all() }.ordered(&["id"]);
        let mut select = Select::new(table("artists"), query);
        select.count = Some(Count::Exact);
        database.send(select)
    };
    let page = counted(3, 0).await?;
    assert_eq!((page.rows, page.total), (3, Some(4)));
    let page = counted(3, 3).await?;
    assert_eq!((page.rows, page.total), (1, Some(4)));
    refused(counted(3, 5).await, "PGRST103");
    let page = database.send(Select::new(table("artists"), Query::all())).await?;
    assert_eq!((page.rows, page.total), (4, None));
    Ok(())
}

pub(super) async fn an_empty_table_is_an_empty_list(env: Env<DatabaseService>) -> Outcome {
    let database = ready(&env).await?;
    assert_eq!(read(&database, "artists", Query::all()).await?, "[]");
    Ok(())
}

pub(super) async fn csv(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let query = Query::all().columns(&["id", "name", "country"]).ordered(&["id"]);
    let mut select = Select::new(table("artists"), query);
    select.format.media = Media::Csv;
    let page = database.send(select).await?;
    assert_eq!(
        String::from_utf8_lossy(&page.body),
        "id,name,country\n1,Ada,SE\n2,Bo,\n3,çelik,TR\n4,D%_x,SE"
    );
    insert(&database, "artists", r#"{"id":9,"name":"","country":"a\tb"}"#).await?;
    let lines = async |id: &str| {
        let items = vec![Item::column("id"), named("name", "the \"name\", quoted"), Item::column("country")];
        let query = Query { items, filter: Some(Filter::eq("id", id)), ..Query::default() };
        let mut select = Select::new(table("artists"), query);
        select.format.media = Media::Csv;
        database.send(select).await.map(|page| String::from_utf8_lossy(&page.body).into_owned())
    };
    assert_eq!(lines("9").await?, "id,the \"name\", quoted,country\n9,\"\",\"a\tb\"");
    assert_eq!(lines("8").await?, "\n");
    Ok(())
}

fn named(column: &str, alias: &str) -> Item {
    Item::Column { field: Field::column(column), alias: Some(alias.into()), cast: None, aggregate: None }
}
