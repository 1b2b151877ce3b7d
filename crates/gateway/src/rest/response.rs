//! Replies of the data API.

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use truststream_services::database::Page;

use super::request::RestRequest;

/// A reply being put together.
pub(super) struct Reply {
    response: Response<Body>,
}

impl Reply {
    /// A reply of a status, which a function in the database may have replaced.
    pub(super) fn new(status: StatusCode, page: &Page) -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() =
            page.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(status);
        Reply { response }
    }

    /// Sets a header, if there is a value and it can be one.
    pub(super) fn header(mut self, name: HeaderName, value: Option<&str>) -> Self {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    /// Tells the version of the row in the body, where that is one whole row.
    pub(super) fn version(self, page: &Page) -> Self {
        let tag = page.version.as_ref().map(|version| format!("\"{version}\""));
        self.header(header::ETAG, tag.as_deref())
    }

    /// Sets the body and its type; a reply to `HEAD` has its type only.
    pub(super) fn body(self, request: &RestRequest, page: &Page, content_type: &str) -> Self {
        // A handler's own media type, unless it is what was accepted.
        let made = page.media_type.as_deref().filter(|made| !content_type.starts_with(made));
        let shown = made.unwrap_or(content_type);
        let mut reply = self.header(header::CONTENT_TYPE, Some(shown));
        if request.method != Method::HEAD {
            match &page.spooled {
                Some(spooled) => {
                    let length = spooled.length().map(|length| length.to_string());
                    reply = reply.header(header::CONTENT_LENGTH, length.as_deref());
                    *reply.response.body_mut() = Body::from_stream(spooled.stream());
                }
                None => *reply.response.body_mut() = Body::from(page.body.clone()),
            }
        }
        reply
    }

    /// Adds what every reply has: the profile, and the headers a function in the database asked for.
    pub(super) fn finish(self, request: &RestRequest, page: &Page) -> Response<Body> {
        let profile = HeaderName::from_static("content-profile");
        let timing = request.shows_timing.then(|| request.timing.header());
        let mut response = self
            .header(profile, request.profile.as_deref())
            .header(HeaderName::from_static("server-timing"), timing.as_deref())
            .response;
        for (name, value) in &page.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                // `Set-Cookie` may come several times; all others replace ours.
                if name == header::SET_COOKIE {
                    response.headers_mut().append(name, value);
                } else {
                    response.headers_mut().insert(name, value);
                }
            }
        }
        response
    }
}

/// The name of the header that tells which preferences counted.
pub(super) fn preference_applied() -> HeaderName {
    HeaderName::from_static("preference-applied")
}
