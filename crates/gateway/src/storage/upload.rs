//! Writing objects.

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use truststream_kernel::{Body, Error, ErrorKind, Result};
use truststream_services::storage::{Access, Info, Object, Upload};

use super::spool::spool;
use super::{Call, reply};

/// What a request brings to be stored.
struct Brought {
    body: Body,
    content_type: String,
    cache_control: String,
    user_metadata: Option<Json>,
}

pub(super) async fn answer(call: Call, bucket: String, name: String) -> Result<Response> {
    let replaces = call.parts.method == Method::PUT;
    let upsert = replaces || call.header("x-upsert") == Some("true");
    let storage = call.storage.clone();
    if replaces {
        // `PUT` changes what is there.
        let info = Info { bucket: bucket.clone(), name: name.clone(), access: Access::Caller };
        storage.send(info).await?;
    }
    let brought = read(call).await?;
    let object = storage.send(upload(bucket, name, brought, upsert, Access::Caller)).await?;
    Ok(stored(&object))
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
    let storage = call.storage.clone();
    let brought = read(call).await?;
    let object = storage.send(upload(bucket, name, brought, false, Access::Token(token))).await?;
    Ok(stored(&object))
}

fn upload(bucket: String, name: String, brought: Brought, upsert: bool, access: Access) -> Upload {
    Upload {
        bucket,
        name,
        body: brought.body,
        content_type: brought.content_type,
        cache_control: brought.cache_control,
        user_metadata: brought.user_metadata,
        upsert,
        access,
    }
}

fn stored(object: &Object) -> Response {
    let key = format!("{}/{}", object.bucket_id, object.name);
    reply(StatusCode::OK, &json!({ "Key": key, "Id": object.id }))
}

async fn read(call: Call) -> Result<Brought> {
    let content_type = call.header("content-type").unwrap_or("application/octet-stream").to_owned();
    if content_type.starts_with("multipart/form-data") {
        return read_form(call).await;
    }
    let user_metadata = match call.header("x-metadata") {
        None => None,
        Some(text) => Some(metadata(&STANDARD.decode(text).unwrap_or_default())?),
    };
    let cache_control = call.header("cache-control").unwrap_or("no-cache").to_owned();
    let body = spool(call.body.into_data_stream(), call.upload_limit).await?;
    Ok(Brought { body, content_type, cache_control, user_metadata })
}

async fn read_form(call: Call) -> Result<Brought> {
    let limit = call.upload_limit;
    let request = Request::from_parts(call.parts, call.body);
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| broken(&error.to_string()))?;
    let (mut cache_control, mut user_metadata) = ("no-cache".to_owned(), None);
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error.to_string()))? {
        match (field.file_name().is_some(), field.name().unwrap_or_default()) {
            (false, "cacheControl") => {
                let seconds = field.text().await.map_err(|error| broken(&error.to_string()))?;
                cache_control = format!("max-age={seconds}");
            }
            (false, "metadata") => {
                let text = field.text().await.map_err(|error| broken(&error.to_string()))?;
                user_metadata = Some(metadata(text.as_bytes())?);
            }
            (true, _) | (false, "") => {
                let content_type = field.content_type().unwrap_or("application/octet-stream").to_owned();
                file = Some((spool(field, limit).await?, content_type));
            }
            _ => {}
        }
    }
    let (body, content_type) = file.ok_or_else(|| broken("the form has no file"))?;
    Ok(Brought { body, content_type, cache_control, user_metadata })
}

fn metadata(text: &[u8]) -> Result<Json> {
    match serde_json::from_slice(text) {
        Ok(Json::Object(members)) => Ok(Json::Object(members)),
        _ => Err(broken("metadata: expected a JSON object")),
    }
}

fn broken(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidRequest", message.to_owned())
}
