//! Full text by FTS5: what an index of words finds is what is found without it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use truststream_kernel::Context;
use truststream_services::database::{
    Arguments, Comparison, DatabaseDriver, Delete, Describe, Field, Filter, Format, FullTextParser, Insert,
    Introspect, Invoke, Media, Migrate, Operand, Operator, PlanFormat, Query, Select, TableName, Transaction,
    Update,
};
use truststream_sqlite::SqliteDriver;

use super::support::open;

/// Tables with the same rows, of which the first of each pair has an index of words.
const SCHEMA: &str = "
create table posts (id bigint primary key, body text);
create index posts_words on posts using gin (to_tsvector('english', body));
create table posts_bare (id bigint primary key, body text);
create table pages (path text, part int, body text,
  words tsvector generated always as (to_tsvector('simple', coalesce(body, ''))) stored, primary key (path, part));
create index pages_words on pages using gin (words);
create table pages_bare (path text, part int, body text,
  words tsvector generated always as (to_tsvector('simple', coalesce(body, ''))) stored, primary key (path, part));
";

const WORDS: &[&str] = &[
    "cat",
    "cats",
    "dog",
    "fat rat",
    "x.org/y?z=1",
    "it's",
    "the",
    "running",
    "ran",
    "A-b",
    "42",
    "-1.5",
    "über",
    "foo_bar",
    "caterpillar",
];

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.roll(WORDS.len())]
    }

    fn text(&mut self) -> Option<String> {
        let length = self.roll(7);
        (length > 0).then(|| (0..length).map(|_| self.word()).collect::<Vec<_>>().join(" "))
    }

    /// A condition as `to_tsquery` takes it.
    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 || self.roll(3) == 0 {
            let word = format!("'{}'", self.word().replace('\'', "''"));
            return format!("{word}{}", ["", "", ":*", ":A"][self.roll(4)]);
        }
        let left = self.condition(depth - 1);
        match self.roll(5) {
            0 => format!("!({left})"),
            sign => {
                let right = self.condition(depth - 1);
                format!("({left} {} {right})", ["", "&", "|", "<->", "<2>"][sign])
            }
        }
    }
}

async fn migrated(folder: &Path, sql: &str) -> SqliteDriver {
    let driver = open(folder).await.unwrap();
    migrate(&driver, "1", sql).await;
    driver
}

async fn migrate(driver: &SqliteDriver, name: &str, sql: &str) {
    let op = Migrate { name: name.into(), sql: sql.into(), dry_run: false };
    driver.migrate(&Context::system(), &op).await.unwrap();
}

fn search(column: &str, parser: FullTextParser, configuration: Option<&str>, text: &str) -> Filter {
    Filter::Compare(Comparison {
        field: Field::column(column),
        operator: Operator::FullText(parser, configuration.map(str::to_owned)),
        quantifier: None,
        operand: Operand::Text(text.into()),
    })
}

fn english(text: &str) -> Filter {
    search("body", FullTextParser::Raw, Some("english"), text)
}

/// The rows that a filter finds, as JSON in one order.
async fn found(driver: &SqliteDriver, table: &str, filter: &Filter) -> Vec<String> {
    let query = Query { filter: Some(filter.clone()), ..Query::all() };
    let page =
        driver.select(&Context::system(), &Select::new(TableName::public(table), query)).await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&page.body).unwrap();
    let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.sort_unstable();
    rows
}

async fn plan(driver: &SqliteDriver, table: &str, filter: &Filter) -> String {
    let query = Query { filter: Some(filter.clone()), ..Query::all() };
    let mut select = Select::new(TableName::public(table), query);
    select.format.media = Media::Plan(PlanFormat { json: false, options: Vec::new() });
    let page = driver.select(&Context::system(), &select).await.unwrap();
    String::from_utf8_lossy(&page.body).into_owned()
}

async fn insert(driver: &SqliteDriver, table: &str, rows: serde_json::Value) {
    driver
        .insert(&Context::system(), &Insert::new(TableName::public(table), rows.to_string()))
        .await
        .unwrap();
}

fn beside(folder: &Path) -> Connection {
    let conn = Connection::open(folder.join("data.db")).unwrap();
    conn.busy_timeout(Duration::from_secs(120)).unwrap();
    conn
}

/// Waits until the words of all rows are in the index.
async fn settled(folder: &Path, index: &str) {
    let conn = beside(folder);
    let until = Instant::now() + Duration::from_secs(120);
    let sql = format!("select count(*) from \"truststream_words_marks/{index}\"");
    while conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap() > 0 {
        assert!(Instant::now() < until, "words are not put into {index}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn random_searches_find_what_they_find_without_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let driver = migrated(folder.path(), SCHEMA).await;
    let cx = Context::system();
    let mut dice = Dice(0x2026_1121);
    for round in 0..4 {
        let posts: Vec<_> = (0..30).map(|at| json!({"id": round * 100 + at, "body": dice.text()})).collect();
        let pages: Vec<_> =
            (0..30).map(|at| json!({"path": format!("/{round}"), "part": at, "body": dice.text()})).collect();
        for table in ["posts", "posts_bare"] {
            insert(&driver, table, json!(posts)).await;
        }
        for table in ["pages", "pages_bare"] {
            insert(&driver, table, json!(pages)).await;
        }
        for _ in 0..3 {
            let (id, to, body) = (dice.roll(30), 10_000 + round * 1_000 + dice.roll(999), dice.text());
            for table in ["posts", "posts_bare"] {
                let query = Query { filter: Some(Filter::eq("id", id.to_string())), ..Query::all() };
                let values = json!({"id": to, "body": body}).to_string();
                driver.update(&cx, &Update::new(TableName::public(table), values, query)).await.unwrap();
            }
            let part = dice.roll(30).to_string();
            for table in ["pages", "pages_bare"] {
                let query = Query { filter: Some(Filter::eq("part", part.clone())), ..Query::all() };
                driver.delete(&cx, &Delete::new(TableName::public(table), query)).await.unwrap();
            }
        }
        if round % 2 == 1 {
            settled(folder.path(), "posts_words").await;
            settled(folder.path(), "pages_words").await;
        }
        for _ in 0..40 {
            let asked = dice.condition(3);
            let searches = [english(&asked), search("words", FullTextParser::Raw, Some("simple"), &asked)];
            for (filter, table) in searches.into_iter().zip(["posts", "pages"]) {
                for filter in [filter.clone(), Filter::Not(Box::new(filter))] {
                    let (with, without) = (
                        found(&driver, table, &filter).await,
                        found(&driver, &format!("{table}_bare"), &filter).await,
                    );
                    assert_eq!(with, without, "{asked} in {table}, round {round}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_search_looks_at_what_the_index_names() {
    let folder = tempfile::tempdir().unwrap();
    let driver = migrated(folder.path(), SCHEMA).await;
    for (filter, table) in [
        (english("cat"), "posts"),
        (search("body", FullTextParser::Websearch, None, "cat or dog"), "posts"),
        (search("body", FullTextParser::Plain, Some("pg_catalog.English"), "cat"), "posts"),
        (search("words", FullTextParser::Phrase, Some("simple"), "fat rat"), "pages"),
        (Filter::And(vec![english("cat"), Filter::eq("body", "a cat")]), "posts"),
    ] {
        let plan = plan(&driver, table, &filter).await;
        assert!(plan.contains("SEARCH t1 USING") && plan.contains("VIRTUAL TABLE INDEX"), "{plan}");
    }
    // Another configuration has other words, and what is negated names no rows.
    for filter in
        [search("body", FullTextParser::Raw, Some("german"), "cat"), Filter::Not(Box::new(english("cat")))]
    {
        let plan = plan(&driver, "posts", &filter).await;
        assert!(!plan.contains("VIRTUAL TABLE"), "{plan}");
    }
    let catalog = driver.describe(&Context::system(), &Describe { fresh: true }).await.unwrap();
    let names: Vec<_> = catalog.tables.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["public.posts", "public.posts_bare", "public.pages", "public.pages_bare"]);
    let introspected = driver.introspect(&Context::system(), &Introspect::default()).await.unwrap();
    assert_eq!(introspected.catalog, *catalog);
    assert_eq!(introspected.notes, Vec::<String>::new());
}

#[tokio::test]
async fn functions_search_by_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "create table books (id uuid primary key default gen_random_uuid(), title text, body text); \
        create index on books using gin (to_tsvector('english', title || ' ' || body)); \
        create function found(asked text) returns setof text language sql stable as \
          $$ select title from books where to_tsvector('english', title || ' ' || body) @@ websearch_to_tsquery('english', asked) order by title $$;";
    let driver = migrated(folder.path(), sql).await;
    let rows = json!([{"title": "a", "body": "the cats ran"}, {"title": "cat", "body": "b"}, {"title": "c", "body": null}]);
    insert(&driver, "books", rows).await;
    settled(folder.path(), "books_to_tsvector_idx").await;
    let called = async |asked: &str| {
        let op = Invoke {
            function: TableName::public("found"),
            arguments: Arguments::Json(json!({"asked": asked}).to_string().into()),
            query: Query::all(),
            read_only: true,
            count: None,
            format: Format::default(),
            transaction: Transaction::default(),
        };
        let page = driver.invoke(&Context::system(), &op).await.unwrap();
        String::from_utf8_lossy(&page.body).into_owned()
    };
    assert_eq!(called("cat").await, r#"["a","cat"]"#);
    assert_eq!(called("cat -ran").await, r#"["cat"]"#);
    let direct = beside(folder.path());
    direct.execute_batch("vacuum").unwrap();
    assert_eq!(called("cat -ran").await, r#"["cat"]"#);
    // A row that the index was made to forget, and that nothing marked, is not looked at.
    direct.execute_batch("drop trigger \"truststream_words/books_to_tsvector_idx/insert\"; insert into books values ('a11ce000-0000-4000-8000-000000000001', 'cat 2', '')").unwrap();
    assert_eq!(called("cat").await, r#"["a","cat"]"#);
}

#[tokio::test]
async fn other_programs_may_write() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "create table tags (tag text primary key, body jsonb); \
               create index by_words on tags using gin (to_tsvector('english', body));";
    let driver = migrated(folder.path(), sql).await;
    let rows: Vec<_> = (0..300).map(|at| json!({"tag": format!("t{at}"), "body": {"k": "a dog"}})).collect();
    insert(&driver, "tags", json!(rows)).await;
    settled(folder.path(), "by_words").await;
    let tags = async |text: &str| found(&driver, "tags", &english(text)).await.len();
    let direct = beside(folder.path());
    for sql in [
        "insert into tags values ('new', '{\"k\": \"a cat\"}')",
        "update tags set body = '{\"k\": \"two cats\"}' where tag = 't7'",
        "update tags set tag = 'moved', body = '{\"k\": \"cats\"}' where tag = 't8'",
        "delete from tags where tag in ('t9', 't10')",
        "insert or replace into tags values ('t11', '{\"k\": \"caterpillar\"}')",
    ] {
        direct.execute(sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert_eq!((tags("cat").await, tags("dog").await), (3, 295));
    // The next request lets the marked rows be put into the index at the next pause.
    insert(&driver, "tags", json!({"tag": "last", "body": {"k": "x"}})).await;
    settled(folder.path(), "by_words").await;
    assert_eq!((tags("cat").await, tags("dog").await), (3, 295));
    drop(driver);
    let driver = open(folder.path()).await.unwrap();
    assert_eq!(found(&driver, "tags", &english("caterpillar:*")).await.len(), 1);
}

#[tokio::test]
async fn an_index_follows_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let driver = migrated(folder.path(), SCHEMA).await;
    insert(&driver, "posts", json!([{"id": 1, "body": "a cat"}, {"id": 2, "body": "a dog"}])).await;
    let is_searched = async |table: &str, column: &str| {
        let filter = search(column, FullTextParser::Raw, Some("english"), "cat");
        let by_index = plan(&driver, table, &filter).await.contains("VIRTUAL TABLE");
        (by_index, found(&driver, table, &filter).await.len())
    };
    for (at, (sql, table, column, expected)) in [
        ("alter table posts add column note text default 'x';", "posts", "body", (true, 1)),
        ("insert into posts (id, body) values (3, 'more cats');", "posts", "body", (true, 2)),
        ("alter table posts rename column body to content;", "posts", "content", (true, 2)),
        ("alter table posts rename to articles;", "articles", "content", (true, 2)),
        ("update articles set content = 'cats' where id = 2;", "articles", "content", (true, 3)),
        ("drop index posts_words;", "articles", "content", (false, 3)),
        (
            "create index on articles using gin (to_tsvector('english', content));",
            "articles",
            "content",
            (true, 3),
        ),
        ("alter table articles alter column id type text;", "articles", "content", (true, 3)),
        ("alter table articles drop constraint posts_pkey;", "articles", "content", (false, 3)),
    ]
    .into_iter()
    .enumerate()
    {
        migrate(&driver, &format!("2{at}"), sql).await;
        assert_eq!(is_searched(table, column).await, expected, "{sql}");
    }
    migrate(&driver, "3", "drop table articles; drop table pages;").await;
    let left: i64 = beside(folder.path())
        .query_row("select count(*) from sqlite_master where name glob 'truststream_words*/*'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(left, 0);
}
