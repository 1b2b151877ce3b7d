//! Requests for one object where others are for many: policies may allow one of the two only
//! (`storage.operation()`).

use reqwest::Method;
use serde_json::json;
use truststream_kernel::{Context, ErrorKind, Result};
use truststream_services::storage::{Object, SignDownloads, Signed};

use super::RemoteStorage;
use super::driver::{SignedRow, signed};
use super::rows::nothing_known;
use crate::client::{ask, json as decode, with_json};
use crate::error::of_storage_api;

impl RemoteStorage {
    pub(super) async fn sign_one(&self, cx: &Context, op: &SignDownloads, name: &str) -> Result<Signed> {
        let request = self.object(cx, Method::POST, &["object", "sign"], &op.bucket, name)?;
        let request = with_json(request, &json!({ "expiresIn": op.expires_in }));
        match ask(request, false, of_storage_api).await {
            Ok(reply) => Ok(signed(decode::<SignedRow>(&reply)?, name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Signed { name: name.to_owned(), token: Err(error.message().to_owned()) })
            }
            Err(error) => Err(error),
        }
    }

    /// Of what is removed the reply tells no more than that it was there.
    pub(super) async fn remove_one(&self, cx: &Context, bucket: &str, name: &str) -> Result<Vec<Object>> {
        let request = self.object(cx, Method::DELETE, &["object"], bucket, name)?;
        match ask(request, true, of_storage_api).await {
            Ok(_) => Ok(vec![nothing_known(bucket, name)]),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
