//! What goes beyond one request: atomic calls, transactions, versions, keys, pages, SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::Barrier;
use truststream::{Error, ErrorKind, Isolation, TrustStream};

use crate::support::{Backend, Track, database, on_every_backend, open, project, track};

on_every_backend!(
    several_requests_are_one,
    a_transaction_is_kept_or_undone_as_a_whole,
    a_transaction_that_lost_is_run_again,
    a_transaction_ends_in_time_and_nests_in_no_other,
    a_write_is_done_only_on_the_version_that_was_read,
    a_write_under_a_key_is_done_once,
    a_key_is_one_caller_s_and_one_request_s,
    what_is_deleted_softly_is_hidden,
    pages_go_on_after_the_last_row,
    functions_are_called,
    a_switch_carries_keys_and_waits_for_transactions,
);

const PATIENCE: Duration = Duration::from_secs(120);

async fn titles(db: &TrustStream) -> Vec<String> {
    let rows: Vec<Track> = db.from("tracks").select("*").order("id").fetch().await.unwrap();
    rows.into_iter().map(|track| track.title).collect()
}

async fn several_requests_are_one(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let replies = db
        .atomic()
        .add(db.from("tracks").update(&json!({ "seconds": 1 })).eq("id", 7))
        .expect(1)
        .add_returning(db.from("tracks").insert(&track(10, "Nardis")))
        .add(db.from("tracks").select("id").eq("seconds", 1))
        .isolation(Isolation::Serializable)
        .await
        .unwrap();
    assert_eq!((replies.rows(0), replies.rows(1)), (1, 0));
    assert_eq!(replies.decode::<Track>(2).unwrap(), [track(10, "Nardis")]);
    assert_eq!(replies.decode::<Json>(3).unwrap(), [json!({ "id": 7 })]);

    let twice = db
        .atomic()
        .add(db.from("tracks").delete().eq("id", 10))
        .add(db.from("tracks").insert(&track(7, "again")));
    let error = twice.await.unwrap_err();
    assert_eq!((error.code(), error.step()), ("23505", Some(1)));
    let missed = db.atomic().add(db.from("tracks").delete().eq("id", 99)).expect(1).await.unwrap_err();
    assert_eq!((missed.kind(), missed.step()), (ErrorKind::Conflict, Some(1)));
    let wrong = db.atomic().add(db.from("tracks").select("id")).add(db.from("tracks").select("(")).await;
    assert_eq!(wrong.unwrap_err().step(), Some(1));
    assert_eq!(titles(&db).await, ["So What", "Sinnerman", "Interlude", "Nardis"]);
    let anon = db.as_role("anon");
    let refused = anon.atomic().add(anon.from("tracks").select("id")).await.unwrap_err();
    assert_eq!((refused.code(), refused.step()), ("42501", Some(0)));
}

async fn a_transaction_is_kept_or_undone_as_a_whole(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let longest = db
        .transaction(|tx| async move {
            tx.from("tracks").insert(&track(10, "Nardis")).await?;
            let rows: Vec<Track> =
                tx.from("tracks").select("*").order("seconds.desc.nullslast").limit(1).fetch().await?;
            assert_eq!(tx.from("tracks").select("id").count().await?, 4);
            Ok(rows[0].title.clone())
        })
        .await
        .unwrap();
    assert_eq!(longest, "Sinnerman");
    let failed = db
        .transaction(|tx| async move {
            tx.from("tracks").delete().eq("id", 10).await?;
            Err::<(), _>(Error::invalid_input("changed my mind"))
        })
        .await;
    assert_eq!(failed.unwrap_err().message(), "changed my mind");
    let ignored = db
        .transaction(|tx| async move {
            tx.from("tracks").delete().eq("id", 10).await?;
            let _ = tx.from("tracks").insert(&track(7, "again")).await;
            Ok(())
        })
        .await;
    assert_eq!(ignored.unwrap_err().code(), "25P02", "what failed is not committed");
    assert_eq!(titles(&db).await, ["So What", "Sinnerman", "Interlude", "Nardis"]);
}

async fn a_transaction_that_lost_is_run_again(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let all_read = Arc::new(Barrier::new(4));
    // SQLite's run one after the other; elsewhere all four read the same at first, so that three lose.
    let meet = backend != Backend::Sqlite;
    let count = |db: TrustStream, attempts: Arc<AtomicUsize>, all_read: Arc<Barrier>| async move {
        let mut first = meet;
        for _ in 0..10 {
            db.transaction(|tx| {
                attempts.fetch_add(1, Ordering::SeqCst);
                let meets = std::mem::take(&mut first).then(|| Arc::clone(&all_read));
                async move {
                    let row: Track = tx.from("tracks").select("*").eq("id", 7).single().await?;
                    if let Some(all_read) = meets {
                        all_read.wait().await;
                    }
                    let seconds = row.seconds.unwrap_or_default() + 1;
                    tx.from("tracks").update(&json!({ "seconds": seconds })).eq("id", 7).await
                }
            })
            .isolation(Isolation::Serializable)
            .within(PATIENCE)
            .await
            .unwrap();
        }
    };
    let tasks = (0..4).map(|_| tokio::spawn(count(db.clone(), Arc::clone(&attempts), Arc::clone(&all_read))));
    futures::future::try_join_all(tasks).await.unwrap();
    let row: Track = db.from("tracks").select("*").eq("id", 7).single().await.unwrap();
    assert_eq!(row.seconds, Some(545 + 40), "no increment is lost");
    let attempts = attempts.load(Ordering::SeqCst);
    assert!(if meet { attempts > 40 } else { attempts == 40 }, "{attempts}");
}

async fn a_transaction_ends_in_time_and_nests_in_no_other(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let slow = db
        .transaction(|tx| async move {
            tx.from("tracks").delete().eq("id", 7).await?;
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(())
        })
        .within(Duration::from_millis(300));
    assert_eq!(slow.await.unwrap_err().kind(), ErrorKind::Timeout);
    let inner = db.clone();
    let nested = db
        .transaction(|_| {
            let inner = inner.clone();
            async move { inner.transaction(|_| async { Ok(()) }).await }
        })
        .await
        .unwrap_err();
    assert_eq!(
        (nested.code(), nested.message()),
        ("25001", "a transaction can't be begun within another one")
    );
    let outside = db
        .transaction(|_| {
            let inner = inner.clone();
            async move { inner.from("tracks").delete().eq("id", 7).await }
        })
        .await
        .unwrap_err();
    assert_eq!(outside.code(), "25001");
    let escaped = db.transaction(|tx| async move { Ok(tx) }).await.unwrap();
    assert_eq!(escaped.from("tracks").select("id").json().await.unwrap_err().code(), "25P01");
    let read_only = db.transaction(|tx| async move { tx.from("tracks").delete().await }).read_only().await;
    assert_eq!(read_only.unwrap_err().code(), "25006");
    assert_eq!(titles(&db).await.len(), 3);
}

async fn a_write_is_done_only_on_the_version_that_was_read(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let one = || db.from("tracks").select("*").eq("id", 7);
    let read = one().single_versioned::<Track>().await.unwrap();
    let set = |title: &str| db.from("tracks").update(&json!({ "title": title })).eq("id", 7);
    assert_eq!(set("first").if_version(&read.version).await.unwrap(), 1);
    let stale = set("second").if_version(&read.version).await.unwrap_err();
    assert_eq!(stale.code(), "BACKEND_016");
    assert_eq!(
        db.from("tracks").delete().eq("id", 7).if_version(&read.version).await.unwrap_err().code(),
        "BACKEND_016"
    );
    let written = set("third").if_version("*").returning_versioned::<Track>().await.unwrap();
    assert_eq!(written, one().single_versioned::<Track>().await.unwrap());
    assert_ne!(written.version, read.version);
    let none = db.from("tracks").delete().eq("id", 99).if_version("*").await.unwrap_err();
    assert_eq!(none.code(), "BACKEND_016");
    assert!(db.from("tracks").select("id").eq("id", 7).single_versioned::<Json>().await.is_err());
    let put = json!({ "id": 7, "title": "put", "seconds": 1 });
    assert!(db.from("tracks").upsert(&put).if_version(&read.version).await.is_err());
    assert_eq!(db.from("tracks").upsert(&put).if_version(&written.version).await.unwrap(), 1);

    // Of many who saw the same version, one wins.
    let version = one().single_versioned::<Track>().await.unwrap().version;
    let tries = (0..8).map(|n| {
        let (db, version) = (db.clone(), version.clone());
        tokio::spawn(async move {
            let set = db.from("tracks").update(&json!({ "title": format!("by {n}") })).eq("id", 7);
            set.if_version(&version).await
        })
    });
    let outcomes = futures::future::try_join_all(tries).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|error| error.code() == "BACKEND_016"));
}

async fn a_write_under_a_key_is_done_once(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let keyed = db.idempotent("order-1");
    let first: Vec<Track> = keyed.from("tracks").insert(&track(10, "Nardis")).returning().await.unwrap();
    db.from("tracks").delete().eq("id", 10).await.unwrap();
    let again: Vec<Track> = keyed.from("tracks").insert(&track(10, "Nardis")).returning().await.unwrap();
    assert_eq!(first, again);
    assert_eq!(titles(&db).await.len(), 3, "it was not done again");

    // Many at once: one does it, all have its reply.
    let tries = (0..8).map(|_| {
        let db = db.idempotent("order-2");
        tokio::spawn(async move { db.from("tracks").insert(&track(11, "Solar")).await })
    });
    let rows = futures::future::try_join_all(tries).await.unwrap();
    assert!(rows.iter().all(|rows| matches!(rows, Ok(1))), "{rows:?}");

    // What failed does not use its key up.
    let keyed = db.idempotent("order-3");
    assert_eq!(keyed.from("tracks").insert(&track(11, "Solar")).await.unwrap_err().code(), "23505");
    db.from("tracks").delete().eq("id", 11).await.unwrap();
    assert_eq!(keyed.from("tracks").insert(&track(11, "Solar")).await.unwrap(), 1);
    assert_eq!(keyed.from("tracks").select("id").count().await.unwrap(), 4, "reads have no key");
}

async fn a_key_is_one_caller_s_and_one_request_s(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let keyed = db.idempotent("k");
    keyed.from("tracks").insert(&track(10, "Nardis")).await.unwrap();
    let error = keyed.from("tracks").insert(&track(11, "Solar")).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_017");
    let service = db.as_role("service_role").idempotent("k");
    assert_eq!(service.from("tracks").insert(&track(11, "Solar")).await.unwrap(), 1);
    let anon = db.as_role("anon").idempotent("k");
    assert_eq!(anon.from("tracks").insert(&track(10, "Nardis")).await.unwrap_err().code(), "42501");
    let several = db.idempotent("both");
    for _ in 0..2 {
        let atomic = several
            .atomic()
            .add_returning(several.from("tracks").insert(&track(12, "Milestones")))
            .add(several.from("tracks").select("id").eq("id", 12));
        let replies = atomic.await.unwrap();
        assert_eq!((replies.rows(0), replies.decode::<Json>(1).unwrap()), (1, vec![json!({ "id": 12 })]));
    }
}

async fn what_is_deleted_softly_is_hidden(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let sql = "create table shelves (id int primary key, deleted_at timestamptz);
               create table books (id int primary key, shelf_id int references shelves (id), deleted_at timestamptz);
               comment on table shelves is '@soft_delete deleted_at';
               comment on table books is 'What is read.\n@soft_delete deleted_at';
               insert into shelves (id) values (1);
               insert into books (id, shelf_id) values (1, 1), (2, 1);";
    db.migrate("2_books.sql", sql).await.unwrap();
    assert_eq!(db.from("books").delete().eq("id", 1).await.unwrap(), 1);
    assert_eq!(db.from("books").delete().eq("id", 1).await.unwrap(), 0);
    assert_eq!(db.from("books").select("id").count().await.unwrap(), 1);
    assert_eq!(db.from("books").select("id").with_deleted().count().await.unwrap(), 2);
    let shelf: Json = db.from("shelves").select("id, books(id)").single().await.unwrap();
    assert_eq!(shelf, json!({ "id": 1, "books": [{ "id": 2 }] }));
    assert_eq!(db.from("books").update(&json!({ "shelf_id": null })).eq("id", 1).await.unwrap(), 0);
    let within = db
        .transaction(|tx| async move {
            tx.from("books").delete().eq("id", 2).await?;
            tx.from("books").select("id").count().await
        })
        .await;
    assert_eq!(within.unwrap(), 0);
    let restore = db.from("books").update(&json!({ "deleted_at": null })).eq("id", 1).with_deleted();
    assert_eq!(restore.await.unwrap(), 1);
    assert_eq!(db.from("books").select("id").count().await.unwrap(), 1);
    assert_eq!(db.from("books").delete().eq("id", 2).with_deleted().await.unwrap(), 1);
    assert_eq!(db.from("books").select("id").with_deleted().count().await.unwrap(), 1);
}

async fn pages_go_on_after_the_last_row(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let rows: Vec<Json> = (10..30)
        .map(|id| json!({ "id": id, "title": format!("t{}", id % 3), "seconds": (id % 4 != 0).then_some(id % 5) }))
        .collect();
    db.from("tracks").insert(&rows).await.unwrap();
    for order in
        ["seconds", "seconds.desc", "seconds.asc.nullsfirst,title.desc", "seconds.desc.nullslast,id.desc"]
    {
        let whole: Vec<Track> =
            db.from("tracks").select("id,title,seconds").order(order).order("id").fetch().await.unwrap();
        let (mut paged, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut read = db.from("tracks").select("id,title,seconds").order(order);
            if let Some(cursor) = &cursor {
                read = read.page_after(cursor);
            }
            let page = read.page::<Track>(4).await.unwrap();
            assert!(page.rows.len() == 4 || page.next.is_none());
            paged.extend(page.rows);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{order}");
    }
    let page = db.from("tracks").select("title").order("id").page::<Json>(1).await.unwrap();
    assert_eq!(page.rows, [json!({ "title": "So What" })], "nothing is added to the rows");
    let other = db.from("tracks").select("id").order("title").page_after(page.next.as_deref().unwrap());
    assert_eq!(other.page::<Json>(1).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(db.from("tracks").select("id").page_after("nonsense").page::<Json>(1).await.is_err());
}

async fn functions_are_called(backend: Backend) {
    let (db, _folder) = project(backend).await;
    let sql = "create function add(a int, b int) returns int language sql immutable as 'select a + b';
               create function longer_than(limit_s int) returns setof tracks language sql stable
                 as 'select * from tracks where seconds > limit_s';";
    db.migrate("2_functions.sql", sql).await.unwrap();
    let arguments = json!({ "a": 1, "b": 2 });
    assert_eq!(db.rpc("add", &arguments).value::<i64>().await.unwrap(), 3);
    assert_eq!(db.rpc("add", &arguments).read_only().json().await.unwrap(), "3");
    let rows: Vec<Track> = db
        .rpc("longer_than", &json!({ "limit_s": 500 }))
        .select("id,title,seconds")
        .order("id.desc")
        .limit(1)
        .fetch()
        .await
        .unwrap();
    assert_eq!(rows[0].title, "Sinnerman");
    let missing = db.rpc("add", &json!({ "a": 1 })).value::<i64>().await.unwrap_err();
    assert_eq!(missing.code(), "PGRST202");
    let replies = db.atomic().add(db.rpc("add", &arguments)).await.unwrap();
    assert_eq!(replies.value::<i64>(0).unwrap(), 3);
}

async fn a_switch_carries_keys_and_waits_for_transactions(backend: Backend) {
    let other = if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite };
    let (db, _folder) = open(&[database(backend, "main"), database(other, "second")]).await;
    db.idempotent("k").from("tracks").insert(&track(10, "Nardis")).await.unwrap();
    let one = || db.from("tracks").select("*").eq("id", 7);
    let version = one().single_versioned::<Track>().await.unwrap().version;
    db.switch().start("second").await.unwrap();
    let (run, mut begun) = (db.clone(), 0);
    while db.switch().active() == "main" {
        begun += 1;
        let id = 100 + begun;
        run.transaction(|tx| async move {
            tx.from("tracks").insert(&track(id, "one")).await?;
            tokio::time::sleep(Duration::from_millis(30)).await;
            tx.from("tracks").insert(&track(id + 10_000, "other")).await
        })
        .within(PATIENCE)
        .await
        .unwrap();
    }
    db.switch().finished().await.unwrap();
    assert_eq!(db.from("tracks").select("id").gt("id", 99).count().await.unwrap(), 2 * begun as u64);
    assert_eq!(
        one().single_versioned::<Track>().await.unwrap().version,
        version,
        "versions outlive a switch"
    );
    assert_eq!(db.idempotent("k").from("tracks").insert(&track(10, "Nardis")).await.unwrap(), 1);
    assert_eq!(db.from("tracks").select("id").eq("id", 10).count().await.unwrap(), 1);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_is_sent_by_those_who_may() {
    let (db, _folder) = project(Backend::Postgres).await;
    let rows: Vec<Json> = db
        .raw("select id, title from tracks where seconds > $1 and title = any($2) order by id -- longest")
        .bind(500)
        .bind("{So What,Sinnerman}")
        .fetch()
        .await
        .unwrap();
    assert_eq!(rows, [json!({ "id": 7, "title": "So What" }), json!({ "id": 8, "title": "Sinnerman" })]);
    let hostile = "'; drop table tracks; --";
    let echoed: Vec<Json> = db.raw("select $1::text as said;").bind(hostile).fetch().await.unwrap();
    assert_eq!(echoed[0]["said"], hostile);
    let written = db.raw("update tracks set info = $1 where id = $2").bind(json!({ "x": [1] })).bind(7);
    assert_eq!(written.execute().await.unwrap(), 1);
    let returned: Vec<Json> =
        db.raw("insert into artists values ($1, $2) returning id").bind(9).bind("Bud").fetch().await.unwrap();
    assert_eq!(returned, [json!({ "id": 9 })]);
    assert_eq!(db.raw("create table made (id int)").execute().await.unwrap(), 0);
    assert!(!db.raw("explain select 1").fetch::<Json>().await.unwrap().is_empty());
    assert_eq!(db.raw("select 1; select 2").execute().await.unwrap_err().code(), "42601");
    assert_eq!(db.raw("delete from tracks").read_only().execute().await.unwrap_err().code(), "25006");
    assert_eq!(db.as_role("service_role").raw("select 1 as one").execute().await.unwrap(), 1);
    for role in ["anon", "authenticated"] {
        let db = db.as_role(role);
        assert_eq!(db.raw("select 1").execute().await.unwrap_err().code(), "42501", "{role}");
        let within = db.transaction(|tx| async move { tx.raw("select 1").execute().await }).await;
        assert_eq!(within.unwrap_err().code(), "42501", "{role}");
        assert_eq!(db.atomic().add(db.raw("select 1")).await.unwrap_err().code(), "42501", "{role}");
    }
    let counted =
        db.transaction(|tx| async move { tx.raw("select count(*) from tracks").fetch::<Json>().await });
    assert_eq!(counted.await.unwrap(), [json!({ "count": 3 })]);
    let (embedded, _folder) = project(Backend::Sqlite).await;
    let translated: Vec<Json> =
        embedded.raw("select title from tracks where id = $1").bind(7).fetch().await.unwrap();
    assert_eq!(translated, [json!({ "title": "So What" })]);
    assert_eq!(embedded.raw("create table made (id int)").execute().await.unwrap_err().code(), "0A000");
    assert_eq!(embedded.as_role("anon").raw("select 1").execute().await.unwrap_err().code(), "42501");
}
