//! What is told of the migrations that were applied.

use truststream_kernel::Context;
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{DatabaseDriver, Migrate, MigrationNames, Migrations};

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
