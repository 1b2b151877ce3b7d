//! The `Range` header, `Content-Range`, and limits.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::Query;

/// Narrows a query by a `Range` header such as `0-9` or `10-`.
///
/// # Errors
/// PGRST103 when its end lies before its beginning.
pub(super) fn narrow(query: &mut Query, header: Option<&str>) -> Result<()> {
    let Some((start, end)) = header.and_then(parse) else { return Ok(()) };
    if end.is_some_and(|end| end < start) {
        return Err(unsatisfiable(
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ));
    }
    let by_header = end.map(|end| end - start + 1);
    query.offset = query.offset.max(start);
    query.limit = match (query.limit, by_header) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(())
}

fn parse(text: &str) -> Option<(u64, Option<u64>)> {
    let (start, end) = text.trim().split_once('-')?;
    let start = start.trim_start_matches("items=").parse().ok()?;
    let end = if end.is_empty() { None } else { Some(end.parse().ok()?) };
    Some((start, end))
}

/// Limits a query and its embeds to the most rows a reply may have.
pub(super) fn cap(query: &mut Query, max_rows: Option<u64>) {
    let Some(max) = max_rows else { return };
    query.limit = Some(query.limit.map_or(max, |limit| limit.min(max)));
    for item in &mut query.items {
        if let truststream_services::database::Item::Embed(embed) = item {
            cap(&mut embed.query, max_rows);
        }
    }
}

/// The error for a range that the rows don't reach.
pub(super) fn unsatisfiable(details: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST103", "Requested range not satisfiable")
        .with_details(details.into())
}

/// `0-9/100`, `*/100`, `0-9/*`, `*/*`.
pub(super) fn content_range(offset: u64, rows: u64, total: Option<u64>) -> String {
    let total_text = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    if rows == 0 {
        return format!("*/{total_text}");
    }
    format!("{offset}-{}/{total_text}", offset + rows - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_narrows_what_limit_and_offset_say() {
        let mut query = Query { limit: Some(5), offset: 2, ..Query::all() };
        narrow(&mut query, Some("10-12")).unwrap();
        assert_eq!((query.limit, query.offset), (Some(3), 10));
        assert_eq!(narrow(&mut query, Some("3-1")).unwrap_err().code(), "PGRST103");
        narrow(&mut query, Some("nonsense")).unwrap();
    }
}
