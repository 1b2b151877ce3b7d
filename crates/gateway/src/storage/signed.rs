//! URLs that carry their own permission.

use axum::http::StatusCode;
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::storage::{SignDownloads, SignUpload, Signed};

use super::{Call, reply};

/// What names keep in a URL's path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expiring {
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
    #[serde(default)]
    paths: Vec<String>,
}

/// A number of seconds, also as text (which the Python client sends).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let read = match Json::deserialize(deserializer)? {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    read.filter(|seconds| *seconds > 0)
        .ok_or_else(|| D::Error::custom("expiresIn must be a number of seconds above 0"))
}

pub(super) async fn sign_one(call: Call, bucket: String, name: String) -> Result<Response> {
    let storage = call.storage.clone();
    let Expiring { expires_in, .. } = call.json().await?;
    let sign = SignDownloads { bucket: bucket.clone(), names: vec![name], expires_in };
    match storage.send(sign).await?.pop() {
        Some(Signed { name, token: Ok(token) }) => {
            Ok(reply(StatusCode::OK, &json!({ "signedURL": url("sign", &bucket, &name, &token) })))
        }
        _ => Err(Error::new(ErrorKind::NotFound, "NoSuchKey", "Object not found")),
    }
}

pub(super) async fn sign_many(call: Call, bucket: String) -> Result<Response> {
    let storage = call.storage.clone();
    let Expiring { expires_in, paths } = call.json().await?;
    let signed = storage.send(SignDownloads { bucket: bucket.clone(), names: paths, expires_in }).await?;
    let rows = signed.into_iter().map(|signed| match signed.token {
        Ok(token) => {
            json!({ "error": null, "path": signed.name, "signedURL": url("sign", &bucket, &signed.name, &token) })
        }
        Err(error) => json!({ "error": error, "path": signed.name, "signedURL": null }),
    });
    Ok(reply(StatusCode::OK, &Json::Array(rows.collect())))
}

pub(super) async fn sign_upload(call: Call, bucket: String, name: String) -> Result<Response> {
    let upsert = call.header("x-upsert") == Some("true");
    let sign = SignUpload { bucket: bucket.clone(), name: name.clone(), upsert };
    let token = call.storage.send(sign).await?;
    let url = url("upload/sign", &bucket, &name, &token);
    Ok(reply(StatusCode::OK, &json!({ "url": url, "token": token })))
}

fn url(kind: &str, bucket: &str, name: &str, token: &str) -> String {
    let encode = |text| utf8_percent_encode(text, PATH);
    format!("/object/{kind}/{}/{}?token={token}", encode(bucket), encode(name))
}
