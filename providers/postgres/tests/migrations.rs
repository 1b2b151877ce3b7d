//! What is told of the migrations that were applied.

use truststream_kernel::{Context, Result};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{DatabaseDriver, Migrate, MigrationNames, MigrationOutcome, Migrations};

use crate::support::{client, database};

/// As the supabase CLI keeps them.
const OF_SUPABASE: &str = "
    create schema supabase_migrations;
    create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
    insert into supabase_migrations.schema_migrations values
      ('1', array['select 1', 'select 2'], 'first'), ('2', null, null)";

#[tokio::test]
async fn names_are_told_without_reading_texts() {
    let url = database().await;
    let plain = client(&url).await;
    plain.batch_execute(OF_SUPABASE).await.unwrap();
    let driver = PostgresDriver::connect(Config::new(&url)).await.unwrap();
    let cx = Context::system();
    let op = Migrate { name: "3_third.sql".into(), sql: "select 3".into(), dry_run: false };
    driver.migrate(&cx, &op).await.unwrap();
    let listed = driver.migrations(&cx, &Migrations).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.name.as_str(), one.sql.as_str())).collect();
    let all = [("3_third.sql", "select 3"), ("1_first.sql", "select 1;\nselect 2"), ("2.sql", "")];
    assert_eq!(listed, all);

    let hidden = "alter table truststream.migrations rename sql to hidden;
                  alter table supabase_migrations.schema_migrations rename statements to hidden";
    plain.batch_execute(hidden).await.unwrap();
    assert_eq!(driver.migrations(&cx, &Migrations).await.unwrap_err().code(), "42703");
    let names = driver.migration_names(&cx, &MigrationNames).await.unwrap();
    assert_eq!(names, all.map(|(name, _)| name));
}

async fn migrate(driver: &PostgresDriver, name: &str, sql: &str) -> Result<MigrationOutcome> {
    driver.migrate(&Context::system(), &Migrate { name: name.into(), sql: sql.into(), dry_run: false }).await
}

/// Supabase's dumps begin with its extensions, used or not, and default to functions of one of them.
#[tokio::test]
async fn extensions_of_the_platform_are_there_or_passed_over() {
    let url = database().await;
    let driver = PostgresDriver::connect(Config::new(&url)).await.unwrap();
    let dump = "CREATE EXTENSION IF NOT EXISTS \"pg_net\" WITH SCHEMA \"extensions\";
        create extension if not exists \"uuid-ossp\" with schema extensions;
        create table things (id uuid primary key default uuid_generate_v4());
        insert into things default values; -- create extension pg_cron;
        insert into things values (extensions.gen_random_uuid())";
    assert_eq!(migrate(&driver, "1_dump.sql", dump).await.unwrap(), MigrationOutcome::Applied);
    let rows = client(&url).await.query_one("select count(*) from things", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 2);

    let broken = "create extension\n  pg_net;\n\nselect net.http_get('http://127.0.0.1')";
    let error = migrate(&driver, "2_call.sql", broken).await.unwrap_err();
    let expected = "migration 2_call.sql failed on line 4: schema \"net\" does not exist";
    assert_eq!(error.message(), expected);
    let error = migrate(&driver, "3_made_up.sql", "create extension made_up").await.unwrap_err();
    assert!(error.message().contains("extension \"made_up\" is not available"), "{error}");
}
