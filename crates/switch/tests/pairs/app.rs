//! An application: what it stores at first, and what it does on whichever side serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use truststream_kernel::Body;
use truststream_runtime::Runtime;
use truststream_services::auth::{
    AdminCreateUser, Refresh, Session, SignInWithPassword, SignUp, UserAttributes,
};
use truststream_services::database::{Insert, Migrate, Query, Returning, Select, TableName};
use truststream_services::storage::{Access, BucketSettings, CreateBucket, Download, Upload};

const EXACT: &str = include_str!("schema.sql");
const TRIGGERS: &str = include_str!("triggers.sql");

/// How many rows the largest table has: more than a chunk, and many more every night.
pub fn rows() -> usize {
    std::env::var("TRUSTSTREAM_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(35)
}

/// A picture, longer than a chunk of any store.
fn picture() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect()
}

/// The application and what it has to remember.
pub struct App<'r> {
    runtime: &'r Arc<Runtime>,
    triggers: bool,
    session: Session,
    /// How often it has written since it began.
    rounds: i64,
}

impl<'r> App<'r> {
    /// Sets the application up on the side that serves.
    pub async fn begin(runtime: &'r Arc<Runtime>, triggers: bool) -> Self {
        migrate_all(runtime, triggers).await;
        App::fill(runtime, triggers).await
    }

    /// The same where the schema is there already.
    pub async fn fill(runtime: &'r Arc<Runtime>, triggers: bool) -> Self {
        for row in everything() {
            insert(runtime, "everything", row).await;
        }
        insert(runtime, "made", json!([{"name": "one"}, {"name": "two"}, {"name": "three"}])).await;
        let ids = json!([{"id": 1, "captain": null}, {"id": 2, "captain": null}]);
        insert(runtime, "teams", ids).await;
        insert(
            runtime,
            "players",
            json!([{"id": 10, "team": 1, "friend": null}, {"id": 11, "team": 2, "friend": 10}]),
        )
        .await;
        insert(runtime, "teams", json!([{"id": 3, "captain": 11}])).await;
        let members = json!([
            {"team": 1, "handle": "a", "note": "first"}, {"team": 1, "handle": "B", "note": null},
            {"team": 1, "handle": "ä", "note": ""}, {"team": 2, "handle": "a", "note": "it's\n\"quoted\"\\"}
        ]);
        insert(runtime, "members", members).await;
        let many =
            (0..rows()).map(|n| json!({ "team": 2, "handle": format!("h{n}"), "note": n.to_string() }));
        for some in many.collect::<Vec<_>>().chunks(1000) {
            insert(runtime, "members", json!(some)).await;
        }
        let sign_up = SignUp {
            email: Some("ada@example.com".into()),
            password: Some("argon correct".into()),
            ..SignUp::default()
        };
        runtime.auth().send(sign_up).await.unwrap();
        let ada = sign_in("ada@example.com", "argon correct");
        let session = runtime.auth().send(ada).await.unwrap();
        let hash = bcrypt::hash("bcrypt correct", 4).unwrap();
        let attributes = UserAttributes {
            email: Some("bob@example.com".into()),
            password_hash: Some(hash.as_str().into()),
            email_confirm: true,
            ..UserAttributes::default()
        };
        runtime.auth().send(AdminCreateUser { id: None, attributes }).await.unwrap();
        insert(runtime, "diaries", json!([{"id": 1, "owner": session.user.id, "body": "dear"}])).await;
        let settings = BucketSettings::default();
        runtime.storage().send(CreateBucket { name: "pictures".into(), settings }).await.unwrap();
        let app = App { runtime, triggers, session, rounds: 0 };
        app.upload("a/first.png", picture()).await;
        app.upload("empty.txt", Vec::new()).await;
        if triggers {
            insert(runtime, "shouts", json!([{"id": 1, "word": "hello"}])).await;
        }
        app
    }

    /// Does what an application does, and checks what it is told.
    pub async fn work(&mut self) -> Result<(), String> {
        self.rounds += 1;
        let name = format!("round {}", self.rounds);
        let made = returned(self.runtime, "made", json!({ "name": name })).await?;
        let next = 3 + self.rounds;
        expect("an identity goes on past what was there", made["id"].as_i64() >= Some(next), &made)?;
        expect("values are made once", made["doubled"] == 14 && made["count"] == 7, &made)?;
        let twice = returned(self.runtime, "made", json!({ "name": "one" })).await;
        expect("unique keys hold", twice.as_ref().is_err_and(|why| why.contains("23505")), &twice)?;
        let nowhere = json!({ "id": 900, "team": 99, "friend": null });
        let nowhere = returned(self.runtime, "players", nowhere).await;
        expect("foreign keys hold", nowhere.as_ref().is_err_and(|why| why.contains("23503")), &nowhere)?;
        if self.triggers {
            let id = 100 + self.rounds;
            let row = returned(self.runtime, "shouts", json!({ "id": id, "word": "again" })).await?;
            expect("a trigger before a row fires once", row["word"] == "AGAIN!", &row)?;
            let audited = read(self.runtime, "audit").await?;
            let same = audited.iter().filter(|row| row["what"] == format!("shout {id}")).count();
            expect("a trigger after a row fires once", same == 1, &audited)?;
        }
        self.accounts().await?;
        self.open("a/first.png", &picture()).await?;
        self.open("empty.txt", &[]).await?;
        let file = format!("round-{}.txt", self.rounds);
        self.upload(&file, file.clone().into_bytes()).await;
        self.open(&file, file.as_bytes()).await
    }

    /// Every account signs in, and the session goes on.
    async fn accounts(&mut self) -> Result<(), String> {
        for (email, password) in [("ada@example.com", "argon correct"), ("bob@example.com", "bcrypt correct")]
        {
            let auth = self.runtime.auth();
            auth.send(sign_in(email, password)).await.map_err(|error| format!("{password}: {error}"))?;
            let wrong = auth.send(sign_in(email, "wrong")).await;
            expect("a wrong password is refused", wrong.is_err(), &"signed in")?;
        }
        let refresh_token = self.session.refresh_token.as_str().into();
        let refresh = Refresh { refresh_token, client: truststream_services::auth::Client::default() };
        self.session =
            self.runtime.auth().send(refresh).await.map_err(|error| format!("refresh: {error}"))?;
        Ok(())
    }

    async fn upload(&self, name: &str, bytes: Vec<u8>) {
        let upload = Upload {
            bucket: "pictures".into(),
            name: name.into(),
            body: Body::from(bytes),
            content_type: "image/png".into(),
            cache_control: "max-age=60".into(),
            user_metadata: Some(json!({ "by": "ada" })),
            upsert: false,
            access: Access::Caller,
        };
        self.runtime.storage().send(upload).await.unwrap();
    }

    async fn open(&self, name: &str, wanted: &[u8]) -> Result<(), String> {
        let (bucket, name, range, access) = ("pictures".into(), name.into(), None, Access::Caller);
        let found = self.runtime.storage().send(Download { bucket, name, range, access }).await;
        let found = found.map_err(|error| format!("download: {error}"))?;
        let bytes = found.body.collect(1 << 20).await.map_err(|error| error.to_string())?;
        expect("a file is what was uploaded", bytes == wanted, &bytes.len())
    }
}

fn sign_in(email: &str, password: &str) -> SignInWithPassword {
    let email = Some(email.to_owned());
    SignInWithPassword { email, password: password.into(), ..SignInWithPassword::default() }
}

/// Makes the application's schema.
pub async fn migrate_all(runtime: &Runtime, triggers: bool) {
    migrate(runtime, "1_schema.sql", EXACT).await;
    if triggers {
        migrate(runtime, "2_triggers.sql", TRIGGERS).await;
    }
}

async fn migrate(runtime: &Runtime, name: &str, sql: &str) {
    let migrate = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    runtime.database().send(migrate).await.unwrap();
}

async fn insert(runtime: &Runtime, table: &str, rows: Json) {
    let insert = Insert::new(TableName::public(table), rows.to_string());
    runtime.database().send(insert).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
}

async fn returned(runtime: &Runtime, table: &str, row: Json) -> Result<Json, String> {
    let mut insert = Insert::new(TableName::public(table), row.to_string());
    insert.options.returning = Returning::Representation;
    let page = runtime.database().send(insert).await;
    let page = page.map_err(|error| format!("insert into {table}: {} {error}", error.code()))?;
    let rows: Vec<Json> = serde_json::from_slice(&page.body).map_err(|error| error.to_string())?;
    rows.into_iter().next().ok_or_else(|| "no row came back".to_owned())
}

async fn read(runtime: &Runtime, table: &str) -> Result<Vec<Json>, String> {
    let select = Select::new(TableName::public(table), Query::all());
    let page = runtime.database().send(select).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&page.body).map_err(|error| error.to_string())
}

fn expect(what: &str, holds: bool, seen: &dyn std::fmt::Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("not so: {what}; seen {seen:?}")) }
}

fn everything() -> [Json; 3] {
    [
        json!({ "id": 1 }),
        json!({
            "id": 2, "a_bool": true, "a_small": -32768, "a_big": 9_223_372_036_854_775_807_i64, "a_real": 1.5,
            "a_double": 0.1, "a_numeric": "12345678901234567890.0123456789", "a_price": "12.50",
            "a_text": "it's \"quoted\" \\ ünï\n😀", "a_varchar": "five5", "a_uuid": "6f1c2c3e-0000-4000-8000-00000000000a",
            "a_timestamptz": "2026-01-02T03:04:05.678901+00:00", "a_timestamp": "1969-12-31T23:59:59.999999",
            "a_date": "2024-02-29", "a_time": "23:59:59.5", "an_interval": "1 year 2 mons 3 days 04:05:06.7",
            "a_json": {"b": 1, "a": [1, 2.50, null]}, "a_jsonb": {"b": {"c": []}, "a": 1e3},
            "a_bytea": "\\x00ff10", "a_mood": "happy", "ints": [1, null, -3], "texts": ["a,b", "", null, "{}\"'"]
        }),
        json!({ "id": 3, "a_text": "", "a_numeric": "-0.000", "ints": [], "texts": [], "a_jsonb": null, "a_json": "null" }),
    ]
}

/// Somebody who writes all the time and remembers what was acknowledged and what was refused.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
    acknowledged: Arc<Mutex<Vec<i64>>>,
}

impl Ticker {
    pub fn start(runtime: &Arc<Runtime>) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<i64>>>::default());
        let (runtime, over, seen) = (Arc::clone(runtime), Arc::clone(&stop), Arc::clone(&acknowledged));
        let task = tokio::spawn(async move {
            for n in 0.. {
                if over.load(Ordering::Relaxed) && seen.lock().len() > 3 {
                    return;
                }
                let insert = Insert::new(TableName::public("ticks"), json!({ "n": n }).to_string());
                if runtime.database().send(insert).await.is_ok() {
                    seen.lock().push(n);
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        });
        Ticker { stop, task, acknowledged }
    }

    /// Stops, and compares what was acknowledged with what there is.
    pub async fn finish(self, runtime: &Runtime) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.map_err(|error| error.to_string())?;
        let mut there: Vec<_> =
            read(runtime, "ticks").await?.iter().filter_map(|row| row["n"].as_i64()).collect();
        there.sort_unstable();
        let wanted = self.acknowledged.lock().clone();
        expect("somebody wrote", wanted.len() > 3, &wanted.len())?;
        expect(
            "what was acknowledged is there once, and nothing else",
            there == wanted,
            &(there.len(), wanted.len()),
        )
    }
}
