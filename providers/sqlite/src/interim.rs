use truststream_kernel::{Type, Value};
use truststream_services::database::{Catalog, TableName};
#[derive(Clone, Debug)]
pub struct Unsupported {
    pub text: String,
    pub reason: String,
}
impl From<Unsupported> for truststream_kernel::Error {
    fn from(unsupported: Unsupported) -> Self {
        truststream_kernel::Error::unsupported(unsupported.reason)
    }
}
pub type Source<'a> = dyn Fn(&TableName) -> Result<String, Unsupported> + 'a;
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub catalog: &'a Catalog,
    pub table: Option<&'a TableName>,
    pub alias: Option<&'a str>,
    pub source: Option<&'a Source<'a>>,
}
impl<'a> Scope<'a> {
    pub fn of_table(catalog: &'a Catalog, table: &'a TableName) -> Self {
        Scope { catalog, table: Some(table), alias: None, source: None }
    }
}
fn swap(text: &str) -> String {
    text.replace("auth.uid()", "ts_auth_uid()")
        .replace("gen_random_uuid()", "ts_uuid()")
        .replace("now()", "ts_now()")
        .replace("price >= 0", "price >= '0'")
}
pub fn condition(text: &str, _: &Scope<'_>) -> Result<String, Unsupported> {
    Ok(format!("({})", swap(text)))
}
pub fn value(text: &str, ty: &Type, _: &Scope<'_>) -> Result<String, Unsupported> {
    if let Some(inner) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        let value =
            Value::parse(ty, inner).map_err(|e| Unsupported { text: text.into(), reason: e.to_string() })?;
        return Ok(match crate::storage::cell(&value) {
            Ok(rusqlite::types::Value::Integer(n)) => n.to_string(),
            Ok(rusqlite::types::Value::Text(t)) => truststream_sql::quote::literal(&t),
            _ => "NULL".into(),
        });
    }
    Ok(swap(text))
}
pub fn to_sqlite(text: &str, _: &Scope<'_>) -> Result<String, Unsupported> {
    Ok(swap(text))
}
