//! What can not be moved tenant by tenant, and requests that are not proven to be of one.

use super::*;

async fn refused(runtime: &Runtime, what: impl Into<Step>) {
    let step = what.into();
    let error = runtime.database().send(Batch::new(vec![step.clone()])).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_018", "{step:?}: {error:?}");
    assert!(
        error.hint().unwrap().contains("(org_id)") || error.hint().unwrap().contains("(id)"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proven_to_be_one_tenants_is_refused_in_words() {
    let runtime = begin().await;
    let everything = || Select::new(table("authors"), Query::all());
    assert_eq!(runtime.database().send(everything()).await.unwrap().rows, 3, "one side serves all");
    moves(&runtime, "acme", true).await;
    refused(&runtime, everything()).await;
    refused(&runtime, Select::new(table("titles"), of("acme", None))).await;
    let mut either = Query::all();
    either.and(Filter::Or(vec![Filter::eq("org_id", "acme"), Filter::eq("id", "1")]));
    refused(&runtime, Delete::new(table("authors"), either)).await;
    let both =
        json!([{ "org_id": "acme", "id": 7, "name": "x" }, { "org_id": "globex", "id": 7, "name": "x" }]);
    refused(&runtime, Insert::new(table("authors"), both.to_string())).await;
    let twice = r#"{"org_id":"acme","org_id":"globex","id":7,"name":"x"}"#;
    refused(&runtime, Insert::new(table("authors"), twice)).await;
    let hand_over = json!({ "org_id": "globex" }).to_string();
    refused(&runtime, Update::new(table("authors"), hand_over, of("acme", None))).await;
    refused(&runtime, Raw::new("select 1")).await;
    let country = Insert::new(table("countries"), json!({ "code": "at", "name": "Austria" }).to_string());
    let mixed = Batch::new(vec![Step::from(country.clone()), Step::from(author("acme", 8, "x"))]);
    assert_eq!(runtime.database().send(mixed).await.unwrap_err().code(), "BACKEND_018");
    let with_rest = Batch::new(vec![Step::from(country), Step::from(author("globex", 8, "x"))]);
    runtime.database().send(with_rest).await.unwrap();
    let two = vec![Step::from(author("acme", 9, "x")), Step::from(rename("acme", 9, "y")), Step::Expect(1)];
    runtime.database().send(Batch::new(two)).await.unwrap();

    let cx = Context::system();
    let mut transaction = runtime.database().send(Begin::default()).await.unwrap();
    transaction.step(&cx, &Step::from(author("acme", 10, "x"))).await.unwrap();
    let error = transaction.step(&cx, &Step::from(author("globex", 10, "x"))).await.unwrap_err();
    assert_eq!(error.code(), "BACKEND_018", "{error:?}");
    drop(transaction);
    let migrate = Migrate { name: "2.sql".into(), sql: "create table late (id int)".into(), dry_run: false };
    assert_eq!(runtime.database().send(migrate).await.unwrap_err().code(), "BACKEND_011");
    let unknown = runtime.switcher().move_part(Some("acme")).await.unwrap_err();
    assert!(unknown.hint().unwrap().contains("tenant:VALUE"), "{unknown:?}");

    moves(&runtime, "acme", false).await;
    let page = runtime.database().send(everything()).await.unwrap();
    assert_eq!(page.rows, 5, "three firsts, one batch each");
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_tie_tenants_together_are_named_with_the_reason() {
    let schema = "
        create table lonely (id bigint primary key, org_id text);
        create table slugs (org_id text, id bigint, slug text unique, primary key (org_id, id));
        create table indexed (org_id text, id bigint, slug text, primary key (org_id, id));
        create unique index indexed_slug on indexed (slug);
        create table shared (id bigint primary key);
        create table refers (org_id text, id bigint references shared (id), primary key (org_id, id));
        create table counted (org_id text, id bigint, primary key (org_id, id));
        create table parents (org_id text, id bigint, primary key (org_id, id), unique (org_id, id));
        create table children (org_id text, id bigint, parent_org text, parent bigint,
          primary key (org_id, id), foreign key (parent_org, parent) references parents (org_id, id));
        create table timed (org_id timestamptz, id bigint, primary key (org_id, id));
        create table looks (org_id text, id bigint, primary key (org_id, id));
        alter table looks enable row level security;
        create policy any on looks for all using (exists (select 1 from shared where shared.id = looks.id));
        create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
        create trigger touch before insert on counted for each row execute function touch();";
    let (runtime, _) = project_of(schema).await;
    let refused = runtime.switcher().start("cloud", options(&runtime, None)).await.unwrap_err();
    for (table, reason) in [
        ("lonely", "its primary key lacks org_id"),
        ("slugs", "its unique key slugs_slug_key lacks org_id"),
        ("indexed", "its unique index indexed_slug lacks org_id"),
        ("refers", "may lead to another tenant's row"),
        ("counted", "it has triggers"),
        ("parents", "it is tied to tables that tenants share"),
        ("children", "may lead to another tenant's row"),
        ("timed", "org_id is no text, uuid or whole number, or of another type than elsewhere"),
        ("looks", "name other tables"),
    ] {
        let told = refused.message().split("; ").find(|one| one.contains(&format!("public.{table}: ")));
        assert!(told.is_some_and(|told| told.contains(reason)), "{table}: {told:?} in {refused:?}");
    }
    let other = TenantOptions { column: "tenant".into(), claim: None };
    let other = Options { tenants: Some(other), ..options(&runtime, None) };
    let error = runtime.switcher().start("cloud", other).await.unwrap_err();
    assert_eq!(error.message(), "no table has a column tenant");
    let blue_green = Options { strategy: Strategy::BlueGreen, ..options(&runtime, None) };
    assert!(runtime.switcher().start("cloud", blue_green).await.unwrap_err().message().contains("gradual"));
    assert!(runtime.switcher().latest().await.unwrap().is_none(), "nothing was begun");
    runtime.close(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_policies_do_not_keep_callers_to_is_refused() {
    let (runtime, _) = project_of(SCHEMA).await;
    let error = runtime.switcher().start("cloud", options(&runtime, Some("org_id"))).await.unwrap_err();
    assert!(error.message().contains("do not keep everybody to rows"), "{error:?}");
    runtime.close(PATIENCE).await;
}
