//! What policies and functions may read of a request.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use truststream_kernel::RequestFacts;
use truststream_kernel::value::json::push_string;

/// The request as it came; its texts are made when they are asked for.
#[derive(Debug)]
pub(super) struct Facts {
    method: Method,
    path: String,
    headers: Arc<HeaderMap>,
}

impl Facts {
    pub(super) fn of(method: &Method, path: &str, headers: &Arc<HeaderMap>) -> Self {
        Facts { method: method.clone(), path: path.to_owned(), headers: Arc::clone(headers) }
    }

    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

impl RequestFacts for Facts {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn headers(&self) -> String {
        object(self.texts().filter(|(name, _)| *name != header::COOKIE.as_str()))
    }

    fn cookies(&self) -> String {
        let cookies = self.texts().filter(|(name, _)| *name == header::COOKIE.as_str());
        object(cookies.flat_map(|(_, text)| text.split(';').filter_map(|pair| pair.trim().split_once('='))))
    }
}

/// A JSON object of texts, in the order in which they came.
fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (key, value) in pairs {
        if out.len() > 1 {
            out.push(',');
        }
        push_string(&mut out, key);
        out.push(':');
        push_string(&mut out, value);
    }
    out.push('}');
    out
}
