//! Reading objects and what is known of them.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures::TryStreamExt;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::storage::{Access, ByteRange, Download, Downloaded, Info, Object};

use super::{Call, reply};

pub(super) async fn by_caller(call: Call, bucket: String, name: String) -> Result<Response> {
    if !matches!(call.parts.method, Method::GET | Method::HEAD) {
        return Err(super::no_route());
    }
    send(call, bucket, name, Access::Caller).await
}

pub(super) async fn public(call: Call, bucket: String, name: String) -> Result<Response> {
    send(call, bucket, name, Access::Public).await
}

pub(super) async fn by_token(call: Call, bucket: String, name: String) -> Result<Response> {
    let missing = || {
        Error::new(
            ErrorKind::InvalidInput,
            "InvalidRequest",
            "querystring must have required property 'token'",
        )
    };
    let token = call.parameter("token").ok_or_else(missing)?;
    send(call, bucket, name, Access::Token(token)).await
}

pub(super) async fn info(call: Call, bucket: String, name: String, public: bool) -> Result<Response> {
    let access = if public { Access::Public } else { Access::Caller };
    let object = call.storage.send(Info { bucket, name, access }).await?;
    let body = json!({
        "id": object.id,
        "name": object.name,
        "version": object.version,
        "bucket_id": object.bucket_id,
        "size": object.metadata.size,
        "content_type": object.metadata.mimetype,
        "cache_control": object.metadata.cache_control,
        "etag": object.metadata.etag,
        "metadata": object.user_metadata.unwrap_or_else(|| json!({})),
        "last_modified": object.metadata.last_modified,
        "created_at": object.created_at,
    });
    Ok(reply(StatusCode::OK, &body))
}

async fn send(call: Call, bucket: String, name: String, access: Access) -> Result<Response> {
    let range = call.header("range").and_then(parse_range);
    if call.parts.method == Method::HEAD {
        let object = call.storage.send(Info { bucket, name, access }).await?;
        let mut response = Response::new(Body::empty());
        describe(response.headers_mut(), &object, object.metadata.size, &call);
        return Ok(response);
    }
    let Downloaded { object, body, range } =
        call.storage.send(Download { bucket, name, range, access }).await?;
    let unchanged = call
        .header("if-none-match")
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == object.metadata.etag));
    let (start, end) = range.unwrap_or((0, object.metadata.size));
    let mut response = if unchanged {
        Response::new(Body::empty())
    } else {
        Response::new(Body::from_stream(body.stream().map_err(|error| {
            tracing::warn!(?error, "a download broke off");
            error
        })))
    };
    *response.status_mut() = match (unchanged, range) {
        (true, _) => StatusCode::NOT_MODIFIED,
        (false, Some(_)) => StatusCode::PARTIAL_CONTENT,
        (false, None) => StatusCode::OK,
    };
    describe(response.headers_mut(), &object, if unchanged { 0 } else { end - start }, &call);
    if range.is_some() {
        let text = format!("bytes {start}-{}/{}", end.saturating_sub(1), object.metadata.size);
        insert(response.headers_mut(), header::CONTENT_RANGE, &text);
    }
    Ok(response)
}

fn describe(headers: &mut HeaderMap, object: &Object, length: u64, call: &Call) {
    let metadata = &object.metadata;
    insert(headers, header::CONTENT_TYPE, harmless(&metadata.mimetype));
    insert(headers, header::CONTENT_LENGTH, &length.to_string());
    insert(headers, header::ETAG, &metadata.etag);
    insert(headers, header::CACHE_CONTROL, &metadata.cache_control);
    if let Some(date) = http_date(&metadata.last_modified) {
        insert(headers, header::LAST_MODIFIED, &date);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What users upload must not run as a page of this origin.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Some(name) = call.parameter("download") {
        insert(headers, header::CONTENT_DISPOSITION, &disposition(&name));
    }
}

/// The type a browser is told: pages are told to be text.
fn harmless(mime_type: &str) -> &str {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml") {
        return "text/plain";
    }
    mime_type
}

fn disposition(name: &str) -> String {
    if name.is_empty() {
        return "attachment;".to_owned();
    }
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\".contains(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded};")
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

/// `bytes=2-4`, `bytes=7-`, `bytes=-2`; several ranges are answered with the whole.
fn parse_range(text: &str) -> Option<ByteRange> {
    let (start, end) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    if start.is_empty() {
        return Some(ByteRange::Last(end.parse().ok()?));
    }
    let last = if end.is_empty() { None } else { Some(end.parse().ok()?) };
    Some(ByteRange::From(start.parse().ok()?, last))
}

/// `2026-01-02T03:04:05.678Z` as `Fri, 02 Jan 2026 03:04:05 GMT`.
fn http_date(text: &str) -> Option<String> {
    use truststream_kernel::value::calendar::days_of;
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let year: i64 = text.get(0..4)?.parse().ok()?;
    let month: u32 = text.get(5..7)?.parse().ok()?;
    let day: u32 = text.get(8..10)?.parse().ok()?;
    let month_name = MONTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    let weekday = DAYS.get(usize::try_from(days_of(year, month, day).rem_euclid(7)).ok()?)?;
    Some(format!("{weekday}, {day:02} {month_name} {year} {} GMT", text.get(11..19)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_dates_are_read() {
        assert_eq!(parse_range("bytes=2-4"), Some(ByteRange::From(2, Some(4))));
        assert_eq!(parse_range("bytes=7-"), Some(ByteRange::From(7, None)));
        assert_eq!(parse_range("bytes=-2"), Some(ByteRange::Last(2)));
        assert_eq!(parse_range("items=1-2"), None);
        assert_eq!(http_date("2026-01-02T03:04:05.678Z").as_deref(), Some("Fri, 02 Jan 2026 03:04:05 GMT"));
    }

    #[test]
    fn a_file_name_can_not_break_out_of_its_header() {
        let text = disposition("a\"\r\nb ü.txt");
        assert!(HeaderValue::from_str(&text).is_ok(), "{text}");
    }
}
