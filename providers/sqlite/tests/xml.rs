//! Values of type `xml`. What is expected is what PostgreSQL said.

use truststream_kernel::{Context, Result};
use truststream_services::database::{
    Arguments, DatabaseDriver, Format, Invoke, Migrate, Query, TableName, Transaction,
};

use crate::fresh;

#[tokio::test]
async fn what_is_not_well_formed_is_refused() -> Result<()> {
    let driver = fresh().await?;
    let cx = Context::system();
    let sql = "create function whole(xml) returns xml language sql as 'select $1';
        create function named(body xml) returns xml language sql as 'select body';
        create function several(body xml[]) returns int language sql as 'select 1';";
    driver.migrate(&cx, &Migrate { name: "1".into(), sql: sql.into(), dry_run: false }).await?;
    let call = |name: &str, arguments: Arguments| Invoke {
        function: TableName::public(name),
        arguments,
        query: Query::all(),
        read_only: false,
        count: None,
        format: Format::default(),
        transaction: Transaction::default(),
    };
    let raw = |text: &str| Arguments::Raw { body: text.to_owned().into(), media_type: "text/xml".into() };
    let json = |body: &str| Arguments::Json(format!(r#"{{"body":{body}}}"#).into());
    assert_eq!(driver.invoke(&cx, &call("whole", raw("<a/>"))).await?.body, r#""<a/>""#);
    assert_eq!(driver.invoke(&cx, &call("named", json(r#""<a/>""#))).await?.body, r#""<a/>""#);
    let bad = [
        call("whole", raw("<a>")),
        call("named", json(r#""a & b""#)),
        call("several", json(r#"["<a/>","</a>"]"#)),
    ];
    for bad in bad {
        let error = driver.invoke(&cx, &bad).await.unwrap_err();
        assert_eq!((error.code(), error.message()), ("2200N", "invalid XML content"));
    }
    Ok(())
}
