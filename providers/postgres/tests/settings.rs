//! What roles have set counts for their requests.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Caller, Context, Identity};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{
    Arguments, DatabaseDriver, Format, Invoke, Query, Select, TableName, Transaction,
};

use crate::support::{client, database};

fn caller(role: &str) -> Context {
    Context { caller: Caller::Role(Arc::new(Identity::new(role, Map::new()))), ..Context::default() }
}

async fn row(driver: &PostgresDriver, role: &str) -> Json {
    let select = Select::new(TableName::public("standing"), Query::default());
    let page = driver.select(&caller(role), &select).await.unwrap();
    serde_json::from_slice::<Json>(&page.body).unwrap()[0].clone()
}

fn call(function: &str) -> Invoke {
    Invoke {
        function: TableName::public(function),
        arguments: Arguments::Json("{}".into()),
        query: Query::default(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    }
}

/// Roles belong to the whole server: these are of this file alone.
const SCHEMA: &str = "
    create role settled; create role plain_one; create role hasty;
    alter role settled set statement_timeout = '100s';
    alter role hasty set statement_timeout = '250ms';
    alter role settled set default_transaction_isolation = 'repeatable read';
    alter role settled set intervalstyle = 'iso_8601';
    alter role settled set search_path = 'nowhere';
    create view standing as select current_user::text as who,
        current_setting('statement_timeout') as timeout, current_setting('transaction_isolation') as isolation,
        interval '1 day'::text as day, current_setting('search_path') as path,
        coalesce(current_setting('app.settings.mark', true), '') as mark;
    grant select on standing to settled, plain_one;
    create function nap() returns text language sql as $$ select pg_sleep(3600)::text $$;
    create function nap_longer() returns text language sql set statement_timeout = '100s'
        as $$ select pg_sleep(0.5)::text $$;
    create function as_owner() returns text language sql set role = 'postgres' as $$ select 'ran' $$;
    revoke execute on function as_owner() from public;
    create schema checks;
    create function checks.run() returns void language sql as $$
        select set_config('app.settings.mark', 'checked', true) $$;
    grant usage on schema checks to settled, plain_one";

#[tokio::test]
async fn a_role_s_settings_are_those_of_its_requests() {
    let url = database().await;
    let plain = client(&url).await;
    plain.batch_execute(SCHEMA).await.unwrap();
    let driver = PostgresDriver::connect(Config::new(&*url)).await.unwrap();
    let settled = row(&driver, "settled").await;
    assert_eq!(
        settled,
        json!({ "who": "settled", "timeout": "100s", "isolation": "repeatable read", "day": "P1D",
                "path": "\"public\", \"extensions\"", "mark": "" })
    );
    let other = row(&driver, "plain_one").await;
    assert_eq!((&other["timeout"], &other["isolation"]), (&json!("0"), &json!("read committed")));

    let slow = driver.invoke(&caller("hasty"), &call("nap")).await.unwrap_err();
    assert_eq!(slow.code(), "57014");
    // What a function sets counts more; what it would run as does not count before it may be called.
    driver.invoke(&caller("hasty"), &call("nap_longer")).await.unwrap();
    let refused = driver.invoke(&caller("settled"), &call("as_owner")).await.unwrap_err();
    assert_eq!(refused.code(), "42501");
}

#[tokio::test]
async fn the_connecting_role_configures_requests_as_postgrest_s_does() {
    let url = database().await;
    let plain = client(&url).await;
    let name = url.rsplit('/').next().unwrap();
    let settings = format!(
        "create view standing as select coalesce(current_setting('app.settings.mark', true), '') as mark,
             coalesce(current_setting('app.settings.host', true), '') as host, current_setting('search_path') as path;
         create schema checks;
         create function checks.run() returns void language sql as $$
             select set_config('app.settings.mark', 'checked', true) $$;
         create role asker_of_{name}; grant usage on schema checks to asker_of_{name};
         grant select on standing to asker_of_{name};
         alter role postgres in database {name} set pgrst.db_pre_request = 'checks.run';
         alter role postgres in database {name} set pgrst.db_extra_search_path = 'checks, public';
         alter role postgres in database {name} set \"pgrst.app.settings.host\" = 'here'"
    );
    plain.batch_execute(&settings).await.unwrap();
    let role = format!("asker_of_{name}");
    let driver = PostgresDriver::connect(Config::new(&*url)).await.unwrap();
    let taken = json!({ "mark": "checked", "host": "here", "path": "\"public\", \"checks\"" });
    assert_eq!(row(&driver, &role).await, taken);
    let config = Config { role_config: false, ..Config::new(&*url) };
    let driver = PostgresDriver::connect(config).await.unwrap();
    assert_eq!(
        row(&driver, &role).await,
        json!({ "mark": "", "host": "", "path": "\"public\", \"extensions\"" })
    );
}
