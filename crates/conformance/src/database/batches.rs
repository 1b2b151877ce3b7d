//! Several steps in one transaction.

use truststream_kernel::{ErrorKind, Retry};
use truststream_services::database::{
    Batch, DatabaseService, Delete, Filter, Insert, Query, Select, Step, Update,
};

use super::build::{QueryExt, compact, filled, insert_returning, read, refused, table};
use crate::{Env, Outcome};

fn genre(code: &str) -> Insert {
    insert_returning("genres", &format!(r#"{{"code":"{code}","name":"{code}"}}"#))
}

fn rename(code: &str, name: &str) -> Update {
    let query = Query::all().matching(Filter::eq("code", code));
    Update::new(table("genres"), format!(r#"{{"name":"{name}"}}"#), query)
}

pub(super) async fn are_applied_in_order(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let one = || Query::all().matching(Filter::eq("code", "x"));
    let steps = vec![
        Step::Insert(genre("x")),
        Step::Update(rename("x", "renamed")),
        Step::Select(Select::new(table("genres"), one())),
        Step::Delete(Delete::new(table("genres"), one())),
    ];
    let pages = database.send(Batch::new(steps)).await?;
    assert_eq!(pages.len(), 4);
    assert_eq!(compact(&pages[0].body), r#"[{"code":"x","name":"x"}]"#);
    assert_eq!(pages[1].rows, 1);
    assert_eq!(compact(&pages[2].body), r#"[{"code":"x","name":"renamed"}]"#);
    assert_eq!(read(&database, "genres", one()).await?, "[]");
    Ok(())
}

pub(super) async fn are_all_or_none(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let steps = vec![Step::Insert(genre("x")), Step::Insert(genre("a"))];
    refused(database.send(Batch::new(steps)).await, "23505");
    let codes = read(&database, "genres", Query::all().columns(&["code"]).ordered(&["code"])).await?;
    assert_eq!(codes, r#"[{"code":"a"},{"code":"j"},{"code":"z"}]"#);
    Ok(())
}

pub(super) async fn fail_unless_as_many_rows_as_expected(env: Env<DatabaseService>) -> Outcome {
    let database = filled(&env).await?;
    let compare_and_set = |from: &str, to: &str| {
        Batch::new(vec![
            Step::Update(Update::new(
                table("genres"),
                format!(r#"{{"name":"{to}"}}"#),
                Query::all().matching(Filter::eq("code", "a")).matching(Filter::eq("name", from)),
            )),
            Step::Expect(1),
            Step::Insert(genre(to)),
        ])
    };
    database.send(compare_and_set("Ambient", "n1")).await?;
    let error = refused(database.send(compare_and_set("Ambient", "n2")).await, "40001");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Never));
    let codes = read(&database, "genres", Query::all().columns(&["code"]).ordered(&["code"])).await?;
    assert_eq!(codes, r#"[{"code":"a"},{"code":"j"},{"code":"n1"},{"code":"z"}]"#);
    Ok(())
}
