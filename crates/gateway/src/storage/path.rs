//! Which resource a path names.

use axum::http::Method;
use percent_encoding::percent_decode_str;
use truststream_kernel::Settings;
use truststream_services::storage::operation;

/// A resource and what is done with it, as far as path and method tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Buckets,
    Bucket(String),
    EmptyBucket(String),
    Object { bucket: String, name: String },
    Public { bucket: String, name: String },
    Info { bucket: String, name: String, public: bool },
    RemoveMany(String),
    List(String),
    Move,
    Copy,
    Sign { bucket: String, name: String },
    SignMany(String),
    Signed { bucket: String, name: String },
    SignUpload { bucket: String, name: String },
    SignedUpload { bucket: String, name: String },
    Status,
}

impl Route {
    /// Whether the caller's own rights decide.
    pub(super) fn needs_caller(&self) -> bool {
        !matches!(
            self,
            Route::Public { .. }
                | Route::Info { public: true, .. }
                | Route::Signed { .. }
                | Route::SignedUpload { .. }
                | Route::Status
        )
    }

    /// Which operation it is, where the request to the service would not tell.
    pub(super) fn operation(&self, method: &Method) -> Settings {
        match self {
            Route::Object { .. } if *method == Method::PUT => operation::UPDATE_OBJECT,
            Route::Object { .. } if *method == Method::DELETE => operation::REMOVE_OBJECT,
            Route::Object { .. } if *method == Method::HEAD => operation::HEAD,
            Route::SignMany(_) => operation::SIGN_DOWNLOADS,
            _ => &[],
        }
    }
}

/// The route of a path below `/storage/v1/`; names are percent-decoded once.
pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    match head {
        "bucket" => bucket_route(method, rest),
        "object" => object_route(method, rest),
        "status" | "health" if *method == Method::GET => Some(Route::Status),
        _ => None,
    }
}

fn bucket_route(method: &Method, rest: &str) -> Option<Route> {
    match rest.trim_end_matches('/').split_once('/') {
        None if rest.is_empty() => matches!(*method, Method::GET | Method::POST).then_some(Route::Buckets),
        None => Some(Route::Bucket(decode(rest.trim_end_matches('/'))?)),
        Some((id, "empty")) if *method == Method::POST => Some(Route::EmptyBucket(decode(id)?)),
        Some(_) => None,
    }
}

fn object_route(method: &Method, rest: &str) -> Option<Route> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let posts = *method == Method::POST;
    let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
    match head {
        "list" if posts => Some(Route::List(decode(tail)?)),
        "move" if posts && tail.is_empty() => Some(Route::Move),
        "copy" if posts && tail.is_empty() => Some(Route::Copy),
        "authenticated" if reads => object(tail).map(|(bucket, name)| Route::Object { bucket, name }),
        "public" if reads => object(tail).map(|(bucket, name)| Route::Public { bucket, name }),
        "info" if reads => info_route(tail),
        "sign" if reads => object(tail).map(|(bucket, name)| Route::Signed { bucket, name }),
        "sign" if posts => match object(tail) {
            Some((bucket, name)) => Some(Route::Sign { bucket, name }),
            None => Some(Route::SignMany(decode(tail)?)),
        },
        "upload" => upload_route(method, tail),
        _ => match object(rest) {
            Some((bucket, name)) => Some(Route::Object { bucket, name }),
            None if *method == Method::DELETE => Some(Route::RemoveMany(decode(rest)?)),
            None => None,
        },
    }
}

fn info_route(tail: &str) -> Option<Route> {
    let (public, tail) = match tail.split_once('/') {
        Some(("public", tail)) => (true, tail),
        Some(("authenticated", tail)) => (false, tail),
        _ => (false, tail),
    };
    object(tail).map(|(bucket, name)| Route::Info { bucket, name, public })
}

fn upload_route(method: &Method, tail: &str) -> Option<Route> {
    let (bucket, name) = object(tail.strip_prefix("sign/")?)?;
    match *method {
        Method::POST => Some(Route::SignUpload { bucket, name }),
        Method::PUT => Some(Route::SignedUpload { bucket, name }),
        _ => None,
    }
}

fn object(path: &str) -> Option<(String, String)> {
    let (bucket, name) = path.split_once('/')?;
    if bucket.is_empty() || name.is_empty() {
        return None;
    }
    Some((decode(bucket)?, decode(name)?))
}

fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        let named = |bucket: &str, name: &str| (bucket.to_owned(), name.to_owned());
        let (bucket, name) = named("b", "a b/c.txt");
        assert_eq!(route(&Method::GET, "object/b/a%20b/c.txt"), Some(Route::Object { bucket, name }));
        let (bucket, name) = named("b", "x");
        assert_eq!(
            route(&Method::HEAD, "object/info/public/b/x"),
            Some(Route::Info { bucket, name, public: true })
        );
        let (bucket, name) = named("b", "x");
        assert_eq!(route(&Method::PUT, "object/upload/sign/b/x"), Some(Route::SignedUpload { bucket, name }));
        assert_eq!(route(&Method::DELETE, "object/b"), Some(Route::RemoveMany("b".to_owned())));
        assert_eq!(route(&Method::POST, "object/sign/b"), Some(Route::SignMany("b".to_owned())));
        assert_eq!(route(&Method::GET, "bucket"), Some(Route::Buckets));
        for path in ["", "object", "object/b", "bucket/a/b", "nothing"] {
            assert_eq!(route(&Method::GET, path), None, "{path}");
        }
    }
}
