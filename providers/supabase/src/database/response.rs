//! Replies as pages.

use reqwest::StatusCode;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Insert, Invoke, Media, OnConflict, Page, Returning, WriteOptions};
use url::form_urlencoded;

use crate::client::Reply;
use crate::error::of_data_api;

/// The page of a read.
pub(super) fn read(reply: Reply, media: &Media) -> Result<Page> {
    let media_type = reply.header("content-type").map(str::to_owned);
    let mut page = page(reply, false)?;
    match media {
        Media::Object => page.rows = 1,
        Media::Custom(_) => page.media_type = media_type,
        _ => {}
    }
    Ok(page)
}

/// The page of a call, whose status the function may have chosen.
pub(super) fn called(reply: Reply, op: &Invoke) -> Result<Page> {
    let status = reply.status;
    let media_type = reply.header("content-type").map(str::to_owned);
    let mut page = page(reply, !op.read_only)?;
    let usual = matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    page.status = (!usual).then_some(status.as_u16());
    if matches!(op.format.media, Media::Custom(_)) {
        page.media_type = media_type;
    }
    Ok(page)
}

/// The page of a write. It was counted even if nobody asked, for the number of rows.
pub(super) fn written(reply: Reply, options: &WriteOptions) -> Result<Page> {
    let mut page = page(reply, true)?;
    if let Some(total) = page.total {
        page.rows = total;
    }
    if options.count.is_none() {
        page.total = None;
    }
    if options.returning != Returning::Representation {
        page.body.clear();
    }
    Ok(page)
}

/// The page of an insert.
pub(super) fn inserted(reply: Reply, op: &Insert) -> Result<Page> {
    let (status, location) = (reply.status, location(&reply));
    let mut page = written(reply, &op.options)?;
    page.location = location;
    page.inserted = match &op.on_conflict {
        // Where rows were merged, the status only tells whether there was any new one.
        Some(OnConflict { merge: true, .. }) => match status {
            StatusCode::OK => Some(0),
            StatusCode::CREATED if page.rows == 1 => Some(1),
            _ => None,
        },
        Some(_) | None => Some(page.rows),
    };
    Ok(page)
}

fn page(reply: Reply, writes: bool) -> Result<Page> {
    if !reply.status.is_success() {
        return Err(of_data_api(&reply, writes));
    }
    let (rows, total) = reply.header("content-range").map_or(Ok((0, None)), range)?;
    Ok(Page { body: reply.body, rows, total, ..Page::default() })
}

/// `0-9/100`, `*/0`, `0-9/*`: the rows in the page, and the total.
fn range(text: &str) -> Result<(u64, Option<u64>)> {
    let wrong = || Error::internal("the remote project's Content-Range could not be understood");
    let (shown, total) = text.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let rows = match shown.split_once('-') {
        Some((first, last)) => (number(last)? + 1).saturating_sub(number(first)?),
        None => 0,
    };
    Ok((rows, if total == "*" { None } else { Some(number(total)?) }))
}

/// The key in `Location: /tracks?id=eq.7`.
fn location(reply: &Reply) -> Vec<(String, Option<String>)> {
    let query = reply.header("location").and_then(|location| location.split_once('?'));
    let pairs = query
        .map_or_else(Vec::new, |(_, query)| form_urlencoded::parse(query.as_bytes()).into_owned().collect());
    let literal = |(column, condition): (String, String)| {
        let literal = match condition.strip_prefix("eq.") {
            Some(literal) => Some(literal.to_owned()),
            None if condition == "is.null" => None,
            None => Some(condition),
        };
        (column, literal)
    };
    pairs.into_iter().map(literal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_tell_rows_and_totals() {
        for (text, expected) in
            [("0-9/100", (10, Some(100))), ("5-5/*", (1, None)), ("*/0", (0, Some(0))), ("*/*", (0, None))]
        {
            assert_eq!(range(text).unwrap(), expected, "{text}");
        }
        assert!(range("many").is_err());
    }
}
