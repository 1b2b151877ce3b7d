//! Switches between every ordered pair of engines: given up, there, back and there for good, with
//! every strategy, over everything that a backend holds.

mod app;
mod content;
mod parts;
mod remote;
pub mod servers;
mod story;

use std::time::{Duration, Instant};

use truststream_switch::Strategy;

use servers::{Engine, Servers};

/// Longest that one strategy may take, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the story between two engines with each strategy.
async fn between(source: Engine, target: Engine) {
    let servers = Servers::start(&[source, target]);
    for strategy in [Strategy::BlueGreen, Strategy::Immediate, Strategy::Gradual] {
        let began = Instant::now();
        let told = tokio::time::timeout(PATIENCE, story::tell(&servers, source, target, strategy)).await;
        let told = told.unwrap_or_else(|_| Err("it did not end".to_owned()));
        println!("{source:?} to {target:?}, {strategy:?}: {:.1} s", began.elapsed().as_secs_f64());
        told.unwrap_or_else(|why| panic!("{source:?} to {target:?}, {strategy:?}: {why}"));
    }
}

macro_rules! pairs {
    ($($name:ident: $source:ident to $target:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                between(Engine::$source, Engine::$target).await;
            }
        )*
    };
}

pairs! {
    sqlite_to_sqlite: Sqlite to Sqlite;
    sqlite_to_postgres: Sqlite to Postgres;
    sqlite_to_mongodb: Sqlite to Mongodb;
    sqlite_to_memory: Sqlite to Memory;
    postgres_to_sqlite: Postgres to Sqlite;
    postgres_to_postgres: Postgres to Postgres;
    postgres_to_mongodb: Postgres to Mongodb;
    postgres_to_memory: Postgres to Memory;
    mongodb_to_sqlite: Mongodb to Sqlite;
    mongodb_to_postgres: Mongodb to Postgres;
    mongodb_to_mongodb: Mongodb to Mongodb;
    mongodb_to_memory: Mongodb to Memory;
    memory_to_sqlite: Memory to Sqlite;
    memory_to_postgres: Memory to Postgres;
    memory_to_mongodb: Memory to Mongodb;
    memory_to_memory: Memory to Memory;
}
