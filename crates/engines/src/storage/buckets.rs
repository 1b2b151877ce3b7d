//! Buckets.

use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, Result};
use truststream_services::database::{
    Count, Delete, Field, Filter, Insert, Order, Query, Returning, Select, Update, WriteOptions,
};
use truststream_services::storage::{Bucket, CreateBucket, UpdateBucket};

use super::StorageEngine;
use super::error::{
    bucket_already_exists, bucket_not_empty, entity_too_large, from_database, invalid_mime_type,
    no_such_bucket,
};
use super::names::check_bucket;
use super::rows::{BucketRow, body, bucket_query, buckets, find_bucket, objects, read};

impl StorageEngine {
    pub(super) async fn make_bucket(&self, cx: &Context, op: &CreateBucket) -> Result<Bucket> {
        check_bucket(&op.name)?;
        let owner = cx.identity().and_then(|identity| identity.subject());
        let row = json!({
            "id": op.name,
            "name": op.name,
            "owner": owner.filter(|id| uuid::Uuid::try_parse(id).is_ok()),
            "owner_id": owner,
            "public": op.settings.public,
            "file_size_limit": op.settings.file_size_limit,
            "allowed_mime_types": op.settings.allowed_mime_types,
        });
        let insert = Insert {
            query: bucket_query(None),
            options: WriteOptions { returning: Returning::Representation, ..WriteOptions::default() },
            ..Insert::new(buckets(), body(&row))
        };
        let page = self
            .caller(cx)
            .send(insert)
            .await
            .map_err(|error| from_database(error, bucket_already_exists))?;
        read::<BucketRow>(&page)?.pop().map(Bucket::from).ok_or_else(no_such_bucket)
    }

    pub(super) async fn all_buckets(&self, cx: &Context) -> Result<Vec<Bucket>> {
        let by_name = Order { relation: None, field: Field::column("name"), descending: false, nulls: None };
        let query = Query { order: vec![by_name], ..bucket_query(None) };
        let page = self.caller(cx).send(Select::new(buckets(), query)).await?;
        Ok(read::<BucketRow>(&page)?.into_iter().map(Bucket::from).collect())
    }

    pub(super) async fn change_bucket(&self, cx: &Context, op: &UpdateBucket) -> Result<()> {
        let mut values = Map::new();
        if let Some(public) = op.public {
            values.insert("public".to_owned(), Json::Bool(public));
        }
        if let Some(limit) = op.file_size_limit {
            values.insert("file_size_limit".to_owned(), json!(limit));
        }
        if let Some(types) = &op.allowed_mime_types {
            values.insert("allowed_mime_types".to_owned(), json!(types));
        }
        values.insert("updated_at".to_owned(), json!("now"));
        let update =
            Update::new(buckets(), body(&Json::Object(values)), bucket_query(Some(Filter::eq("id", &op.id))));
        let changed = self
            .caller(cx)
            .send(update)
            .await
            .map_err(|error| from_database(error, bucket_already_exists))?;
        if changed.rows == 1 { Ok(()) } else { Err(no_such_bucket()) }
    }

    pub(super) async fn drop_bucket(&self, cx: &Context, id: &str) -> Result<()> {
        let database = self.caller(cx);
        find_bucket(&database, id).await?.ok_or_else(no_such_bucket)?;
        // Objects the caller can't see keep a bucket as well.
        let any = Query { filter: Some(Filter::eq("bucket_id", id)), limit: Some(0), ..Query::all() };
        let held = Select { count: Some(Count::Exact), ..Select::new(objects(), any) };
        if self.database.send(held).await?.total != Some(0) {
            return Err(bucket_not_empty());
        }
        let deleted = database.send(Delete::new(buckets(), bucket_query(Some(Filter::eq("id", id))))).await;
        match deleted {
            Ok(page) if page.rows == 1 => Ok(()),
            Ok(_) => Err(no_such_bucket()),
            Err(error) if error.code() == "23503" => Err(bucket_not_empty().with_source(error)),
            Err(error) => Err(error),
        }
    }

    /// Refuses an object that the bucket's settings don't allow.
    pub(super) fn check_limits(&self, bucket: &Bucket, size: u64, mime_type: &str) -> Result<()> {
        let limit = bucket
            .file_size_limit
            .map_or(self.settings.file_size_limit, |limit| limit.min(self.settings.file_size_limit));
        if size > limit {
            return Err(entity_too_large());
        }
        let essence = mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &bucket.allowed_mime_types {
            Some(allowed)
                if !allowed.is_empty() && !allowed.iter().any(|one| matches_type(one, &essence)) =>
            {
                Err(invalid_mime_type(mime_type))
            }
            _ => Ok(()),
        }
    }
}

fn matches_type(allowed: &str, found: &str) -> bool {
    match allowed.strip_suffix("/*") {
        Some("*") => true,
        Some(family) => found.split('/').next() == Some(family),
        None => allowed.eq_ignore_ascii_case(found) || allowed == "*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_types_match_exactly_or_by_family() {
        assert!(matches_type("image/*", "image/png"));
        assert!(matches_type("image/png", "image/png"));
        assert!(matches_type("*/*", "text/html"));
        assert!(!matches_type("image/*", "text/html"));
        assert!(!matches_type("image/png", "image/svg+xml"));
    }
}
