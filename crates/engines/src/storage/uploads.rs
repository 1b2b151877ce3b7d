//! Storing objects.

use std::time::SystemTime;

use serde_json::json;
use truststream_kernel::{Caller, Context, Error, Outcome, Result};
use truststream_services::database::{
    Batch, Insert, OnConflict, Query, Returning, Select, Step, Transaction, WriteOptions,
};
use truststream_services::objects::Put;
use truststream_services::storage::{Access, Metadata, Object, Upload, object_key};
use uuid::Uuid;

use super::StorageEngine;
use super::error::{already_exists, from_database, no_such_bucket};
use super::names::check_object;
use super::rows::{ObjectRow, body, find_bucket, named, object_query, object_row, objects, read};

impl StorageEngine {
    /// Checks, writes the bytes under a new version, makes them visible, removes the old version.
    pub(super) async fn store(&self, cx: &Context, op: &Upload) -> Result<Object> {
        check_object(&op.name)?;
        let bucket = find_bucket(&self.database, &op.bucket).await?.ok_or_else(no_such_bucket)?;
        self.check_limits(&bucket, op.body.length().unwrap_or(0), &op.content_type)?;
        let (owner_id, upsert) = match &op.access {
            Access::Token(token) => {
                let grant = self.upload_grant(token, &op.bucket, &op.name)?;
                (grant.owner, grant.upsert)
            }
            _ => {
                self.check_may_upload(cx, &op.bucket, &op.name, op.upsert).await?;
                (cx.identity().and_then(|identity| identity.subject()).map(str::to_owned), op.upsert)
            }
        };
        let version = Uuid::now_v7().to_string();
        let stored = self.objects.send(Put { key: object_key(&version), body: op.body.clone() }).await?;
        let made_visible = async {
            // A body of unknown length is known now.
            self.check_limits(&bucket, stored.size, &op.content_type)?;
            let object = new_object(op, &version, owner_id, stored.size);
            self.make_visible(&object, upsert).await
        };
        match made_visible.await {
            Ok((object, replaced)) => {
                if let Some(old) = replaced {
                    self.forget(&old).await;
                }
                Ok(object)
            }
            Err(error) => {
                // Bytes that a row may speak of stay, even if nobody will know.
                if error.outcome() == Outcome::NotApplied {
                    self.forget(&version).await;
                }
                Err(error)
            }
        }
    }

    /// Asks the policies whether the caller may write this object, by a write that is rolled back.
    pub(super) async fn check_may_upload(
        &self,
        cx: &Context,
        bucket: &str,
        name: &str,
        upsert: bool,
    ) -> Result<()> {
        if matches!(cx.caller, Caller::System) {
            return Ok(());
        }
        let owner = cx.identity().and_then(|identity| identity.subject());
        let row = json!({
            "bucket_id": bucket,
            "name": name,
            "owner": owner.filter(|id| Uuid::try_parse(id).is_ok()),
            "owner_id": owner,
            "version": "0",
        });
        let transaction = Transaction { rollback: true, ..Transaction::default() };
        let attempt = Insert {
            on_conflict: upsert.then(replacing),
            options: WriteOptions { transaction, ..WriteOptions::default() },
            ..Insert::new(objects(), body(&row))
        };
        self.caller(cx).send(attempt).await.map_err(|error| from_database(error, already_exists))?;
        Ok(())
    }

    /// Writes the row of a new version; returns it as stored and the version it replaced.
    async fn make_visible(&self, object: &Object, upsert: bool) -> Result<(Object, Option<String>)> {
        let before = object_query(named(&object.bucket_id, &object.name));
        let insert = Insert {
            on_conflict: upsert.then(replacing),
            // A filter would be taken for the key of a `PUT`.
            query: Query { filter: None, ..before.clone() },
            options: WriteOptions { returning: Returning::Representation, ..WriteOptions::default() },
            ..Insert::new(objects(), body(&object_row(object)))
        };
        let steps = vec![Step::Select(Select::new(objects(), before)), Step::Insert(insert)];
        let pages = self
            .database
            .send(Batch::new(steps))
            .await
            .map_err(|error| from_database(error, already_exists))?;
        let [before, after] = pages.as_slice() else {
            return Err(Error::internal("a batch of two steps answered with another number of pages"));
        };
        let replaced = read::<ObjectRow>(before)?.pop().map(|row| Object::from(row).version);
        let stored = read::<ObjectRow>(after)?.pop().map(Object::from);
        let stored = stored.ok_or_else(|| Error::internal("an insert returned no row"))?;
        Ok((stored, replaced.filter(|version| !version.is_empty())))
    }
}

fn replacing() -> OnConflict {
    OnConflict { columns: Some(vec!["bucket_id".to_owned(), "name".to_owned()]), merge: true }
}

fn new_object(op: &Upload, version: &str, owner_id: Option<String>, size: u64) -> Object {
    let metadata = Metadata {
        // The version changes with every upload, so it is as good an entity tag as a hash.
        etag: format!("\"{version}\""),
        size,
        mimetype: op.content_type.clone(),
        cache_control: op.cache_control.clone(),
        last_modified: rfc3339_now(),
        content_length: size,
        http_status_code: 200,
    };
    Object {
        id: String::new(),
        bucket_id: op.bucket.clone(),
        name: op.name.clone(),
        version: version.to_owned(),
        owner_id,
        created_at: String::new(),
        updated_at: String::new(),
        last_accessed_at: None,
        metadata,
        user_metadata: op.user_metadata.clone(),
    }
}

/// Now, as `2026-01-02T03:04:05.678Z`.
fn rfc3339_now() -> String {
    use truststream_kernel::value::calendar::date_of;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date_of(i64::try_from(seconds / 86_400).unwrap_or(0));
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}
