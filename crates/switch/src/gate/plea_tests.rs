use serde_json::{Map, json};
use truststream_kernel::Identity;
use truststream_services::database::{Arguments, Embed, Raw};

use super::*;
use crate::machine::Part;

fn notes() -> TableName {
    TableName::public("notes")
}

fn route(claim: Option<&str>) -> Route {
    let tenancy = Tenancy {
        tables: vec![(notes(), "org".into()), (TableName::public("orgs"), "id".into())],
        kind: TenantKind::Text,
        claim: claim.map(str::to_owned),
        across: vec![TableName::public("all_notes")],
        within: vec![TableName::public("own_notes")],
        embeds: false,
    };
    let part = |tenant: &str, moved| Part {
        name: format!("tenant:{tenant}"),
        tenant: Some(tenant.into()),
        moved,
        ..Part::default()
    };
    let parts = vec![part("acme", true), part("globex", false)];
    let division = Some(Division { to: "t".into(), parts, tenancy: Some(tenancy), ..Division::default() });
    Route { division, ..Route::first("s") }
}

fn acme() -> Touch {
    Touch::part(0)
}

fn globex() -> Touch {
    Touch::part(1)
}

fn touch_for(cx: &Context, claim: Option<&str>, op: impl Into<DatabaseOp>) -> Touch {
    let op = op.into();
    Plea::of(cx, &op).touch(&route(claim))
}

fn touch(op: impl Into<DatabaseOp>) -> Touch {
    touch_for(&Context::system(), None, op)
}

fn select(table: &str, filter: Option<Filter>) -> Select {
    Select::new(TableName::public(table), Query { filter, ..Query::all() })
}

fn insert(rows: &'static str) -> Insert {
    Insert::new(notes(), rows)
}

fn update(values: &'static str) -> Update {
    let query = Query { filter: Some(Filter::eq("org", "acme")), ..Query::all() };
    Update::new(notes(), values, query)
}

fn invoke(function: &str) -> Invoke {
    Invoke {
        function: TableName::public(function),
        arguments: Arguments::Json("{}".into()),
        query: Query::all(),
        read_only: false,
        count: None,
        format: Default::default(),
        transaction: Default::default(),
    }
}

fn among(values: &[&str]) -> Filter {
    Filter::Compare(truststream_services::database::Comparison {
        field: truststream_services::database::Field::column("org"),
        operator: Operator::In,
        quantifier: None,
        operand: Operand::List(values.iter().map(|value| (*value).to_owned()).collect()),
    })
}

#[test]
fn a_filter_that_must_hold_names_the_tenant() {
    let eq = |value: &str| Filter::eq("org", value);
    let and = Filter::And(vec![Filter::eq("id", "1"), eq("acme")]);
    assert_eq!(touch(select("notes", Some(and))), acme());
    assert_eq!(touch(select("notes", Some(eq("initech")))), Touch::REST, "who is no part is of the rest");
    assert_eq!(touch(select("orgs", Some(Filter::eq("id", "globex")))), globex());
    assert_eq!(touch(select("notes", Some(among(&["acme", "globex"])))), acme().with(globex()));
    assert_eq!(touch(select("shared", None)), Touch::REST);
    let or = Filter::Or(vec![eq("acme"), Filter::eq("id", "1")]);
    for unproven in [None, Some(or), Some(eq("acme").negated()), Some(Filter::eq("id", "acme"))] {
        assert_eq!(touch(select("notes", unproven.clone())), Touch::ALL, "{unproven:?}");
    }
    assert_eq!(touch(select("all_notes", Some(eq("acme")))), Touch::ALL, "a view may compute the column");
    let mut embedding = select("notes", Some(eq("acme")));
    embedding.query.items.push(Item::Embed(Embed {
        relation: "orgs".into(),
        alias: None,
        hint: None,
        inner: false,
        spread: false,
        query: Query::all(),
    }));
    assert_eq!(touch(embedding), Touch::ALL, "it may lead to a view");
    assert_eq!(touch(Raw::new("select 1")), Touch::ALL);
}

#[test]
fn rows_name_their_tenant_and_keep_it() {
    assert_eq!(touch(insert(r#"[{"id":1,"org":"acme"},{"id":2,"org":"acme"}]"#)), acme());
    assert_eq!(touch(insert(r#"[{"org":"acme"},{"org":"globex"}]"#)), acme().with(globex()));
    for unproven in [r#"{"id":1}"#, r#"{"org":"acme","org":"globex"}"#, r#"[{"org":"acme"},{}]"#, "id,org"] {
        assert_eq!(touch(insert(unproven)), Touch::ALL, "{unproven}");
    }
    let without = Insert { columns: Some(vec!["id".into()]), ..insert(r#"{"id":1,"org":"acme"}"#) };
    assert_eq!(touch(without), Touch::ALL, "the column takes its default");
    assert_eq!(touch(update(r#"{"body":"x"}"#)), acme());
    assert_eq!(touch(update(r#"{"org":"acme","body":"x"}"#)), acme());
    for moving in [r#"{"org":"globex"}"#, r#"{"org":null}"#, r#"{"org":"acme","org":"globex"}"#] {
        assert_eq!(touch(update(moving)), Touch::ALL, "{moving}");
    }
    let silent = Update { columns: Some(vec!["org".into()]), ..update(r#"{"body":"x"}"#) };
    assert_eq!(touch(silent), Touch::ALL, "it is set to null");
}

#[test]
fn steps_reach_what_each_of_them_reaches() {
    let steps = vec![Step::from(insert(r#"{"org":"acme"}"#)), Step::Expect(1), Step::from(update("{}"))];
    assert_eq!(touch(Batch::new(steps)), acme());
    assert_eq!(touch(Batch::new(vec![Step::Expect(1)])), Touch::REST);
    let mixed = vec![Step::from(insert(r#"{"org":"acme"}"#)), Step::from(select("shared", None))];
    assert_eq!(touch(Batch::new(mixed)), acme().with(Touch::REST));
    let expect = Step::Expect(1);
    assert_eq!(Plea::of_step(&Context::system(), &expect).touch(&route(None)), Touch::NONE);
}

fn caller(role: &str, org: serde_json::Value) -> Context {
    let mut claims = Map::new();
    claims.insert("app".into(), json!({ "org": org }));
    Context::of(Identity::new(role, claims))
}

#[test]
fn a_claim_that_policies_keep_callers_to_names_the_tenant() {
    let claim = Some("app.org");
    let member = caller("authenticated", json!("acme"));
    let everything = || select("notes", None);
    assert_eq!(touch_for(&member, claim, everything()), acme());
    assert_eq!(touch_for(&member, claim, select("notes", Some(Filter::eq("org", "globex")))), acme());
    assert_eq!(touch_for(&member, claim, insert(r#"{"org":"globex"}"#)), acme(), "a policy refuses it there");
    assert_eq!(touch_for(&member, claim, invoke("own_notes")), acme());
    assert_eq!(touch_for(&member, claim, invoke("all_notes")), Touch::ALL);
    assert_eq!(touch_for(&member, claim, invoke("unrelated")), Touch::REST);
    assert_eq!(touch_for(&member, None, everything()), Touch::ALL, "nothing keeps callers to it");
    assert_eq!(touch_for(&Context::role("anon"), claim, everything()), Touch::REST, "no row is anybody's");
    assert_eq!(touch_for(&caller("authenticated", json!(["acme"])), claim, everything()), Touch::ALL);
    let above = caller("service_role", json!("acme"));
    assert_eq!(touch_for(&above, claim, everything()), Touch::ALL, "policies do not hold it back");
    assert_eq!(touch_for(&above, claim, invoke("own_notes")), Touch::ALL);
}

#[test]
fn what_two_sides_serve_is_refused_and_says_how_to_go_on() {
    let route = route(None);
    assert_eq!((acme().owner(&route), globex().owner(&route)), (Some("t"), Some("s")));
    assert_eq!((Touch::REST.owner(&route), globex().with(Touch::REST).owner(&route)), (Some("s"), Some("s")));
    assert_eq!((acme().with(globex()).owner(&route), Touch::ALL.owner(&route)), (None, None));
    let error = super::super::split(Touch::ALL, &route);
    assert!(error.message().ends_with("tenant:acme, tenant:globex, the rest"), "{error:?}");
    assert!(error.hint().unwrap().contains("(org)"), "{error:?}");
}
