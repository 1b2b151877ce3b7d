//! Versions of rows: a digest of what the caller sees of a row, the same on every engine.

use sha2::{Digest, Sha256};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Filter, Format, Item, Media, Page, Query, Returning, Select, Session, Step, TableName, WriteOptions,
};

/// Bytes of the digest that make a version: enough that no two states of a row share one.
const BYTES: usize = 16;

/// The version of a row given as JSON. White space is where engines differ, and nowhere else.
pub(super) fn of_row(json: &[u8]) -> String {
    let mut digest = Sha256::new();
    let (mut inside, mut escaped, mut start) = (false, false, 0);
    for (index, byte) in json.iter().enumerate() {
        if !inside && byte.is_ascii_whitespace() {
            digest.update(&json[start..index]);
            start = index + 1;
        }
        inside ^= *byte == b'"' && !escaped;
        escaped = inside && *byte == b'\\' && !escaped;
    }
    digest.update(&json[start..]);
    digest.finalize().iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a read gives one whole row, which then has a version.
pub(super) fn reads_whole(op: &Select) -> bool {
    !op.as_values && is_whole(&op.query, &op.format)
}

/// Whether a write returns one whole row.
pub(super) fn returns_whole(query: &Query, options: &WriteOptions) -> bool {
    options.returning == Returning::Representation && is_whole(query, &options.format)
}

fn is_whole(query: &Query, format: &Format) -> bool {
    query.items == [Item::All] && format.media == Media::Object && !format.strip_nulls
}

/// Whether the page of a step is one whole row.
pub(super) fn is_whole_row(step: &Step) -> bool {
    match step {
        Step::Select(op) => reads_whole(op),
        Step::Insert(op) => returns_whole(&op.query, &op.options),
        Step::Update(op) => returns_whole(&op.query, &op.options),
        Step::Delete(_) | Step::Invoke(_) | Step::Raw(_) | Step::Expect(_) => false,
    }
}

/// Tells the version of a page that is one whole row.
pub(super) fn tell(mut page: Page) -> Page {
    page.version = Some(of_row(&page.body));
    page
}

/// Checks, within a transaction, that a row is of one of the versions expected of it.
///
/// # Errors
/// `BACKEND_016` if there is no such row, or it is of another version.
pub(super) async fn check(
    session: &mut dyn Session,
    cx: &Context,
    table: &TableName,
    filter: Option<Filter>,
    options: &WriteOptions,
) -> Result<()> {
    let expected = options.if_version.as_deref().unwrap_or_default();
    let query = Query { filter, limit: Some(2), ..Query::all() };
    let mut select = Select::new(table.clone(), query);
    select.format.media = Media::Object;
    // Moments are printed in the time zone of the request, as they were when the version was told.
    select.transaction.time_zone.clone_from(&options.transaction.time_zone);
    let page = match session.step(cx, &Step::Select(select)).await {
        Err(error) if error.code() == "PGRST116" => {
            return Err(changed("the request does not name exactly one row that there is"));
        }
        answered => answered?,
    };
    let present = of_row(&page.body);
    if expected.split(',').map(str::trim).any(|version| version == "*" || version == present) {
        return Ok(());
    }
    Err(changed("the row was changed since this version of it was read"))
}

fn changed(details: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "BACKEND_016", "the row is not of the version that was expected")
        .with_details(details)
        .with_hint("read the row again, and decide anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_tokens_does_not_count() {
        let one = of_row(br#"{"a": 1, "b": "x \" y"}"#);
        assert_eq!(one, of_row(br#"{"a":1,"b":"x \" y"}"#));
        assert_eq!(one.len(), 2 * BYTES);
        assert_ne!(one, of_row(br#"{"a":1,"b":"x \"y"}"#));
        assert_ne!(one, of_row(br#"{"a":2,"b":"x \" y"}"#));
    }
}
