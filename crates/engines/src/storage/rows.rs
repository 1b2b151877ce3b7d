//! Rows of the storage tables.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Comparison, Database, Field, Filter, Item, Operand, Operator, Page, Query, Select, TableName,
};
use truststream_services::storage::{Bucket, Metadata, Object};

pub(super) fn buckets() -> TableName {
    TableName::new("storage", "buckets")
}

pub(super) fn objects() -> TableName {
    TableName::new("storage", "objects")
}

const BUCKET: &[&str] =
    &["id", "name", "owner", "public", "file_size_limit", "allowed_mime_types", "created_at", "updated_at"];

const OBJECT: &[&str] = &[
    "id",
    "bucket_id",
    "name",
    "version",
    "owner_id",
    "created_at",
    "updated_at",
    "last_accessed_at",
    "metadata",
    "user_metadata",
];

/// A query for whole buckets.
pub(super) fn bucket_query(filter: Option<Filter>) -> Query {
    Query { items: BUCKET.iter().map(|name| Item::column(*name)).collect(), filter, ..Query::default() }
}

/// A query for whole objects.
pub(super) fn object_query(filter: Filter) -> Query {
    let items = OBJECT.iter().map(|name| Item::column(*name)).collect();
    Query { items, filter: Some(filter), ..Query::default() }
}

/// The filter for one object.
pub(super) fn named(bucket: &str, name: &str) -> Filter {
    Filter::And(vec![Filter::eq("bucket_id", bucket), Filter::eq("name", name)])
}

/// Reads the rows of a reply.
pub(super) fn read<T: DeserializeOwned>(page: &Page) -> Result<Vec<T>> {
    serde_json::from_slice(&page.body)
        .map_err(|error| Error::internal("a row of the storage tables can't be read").with_source(error))
}

/// A bucket as `database` may see it.
pub(super) async fn find_bucket(database: &Database, id: &str) -> Result<Option<Bucket>> {
    let query = bucket_query(Some(Filter::eq("id", id)));
    let page = database.send(Select::new(buckets(), query)).await?;
    Ok(read::<BucketRow>(&page)?.pop().map(Bucket::from))
}

/// An object as `database` may see it.
pub(super) async fn find_object(database: &Database, bucket: &str, name: &str) -> Result<Option<Object>> {
    let page = database.send(Select::new(objects(), object_query(named(bucket, name)))).await?;
    Ok(read::<ObjectRow>(&page)?.pop().map(Object::from))
}

/// JSON as the body of a write.
pub(super) fn body(value: &Json) -> Bytes {
    Bytes::from(value.to_string())
}

/// The row of a new version of an object.
pub(super) fn object_row(object: &Object) -> Json {
    // `owner` is a uuid column that older Supabase projects have policies on.
    let owner = object.owner_id.as_deref().filter(|id| uuid::Uuid::try_parse(id).is_ok());
    json!({
        "bucket_id": object.bucket_id,
        "name": object.name,
        "owner": owner,
        "owner_id": object.owner_id,
        "version": object.version,
        "metadata": object.metadata,
        "user_metadata": object.user_metadata,
        "updated_at": "now",
        "last_accessed_at": "now",
    })
}

#[derive(Deserialize)]
pub(super) struct BucketRow {
    id: String,
    name: String,
    owner: Option<String>,
    public: bool,
    file_size_limit: Option<u64>,
    allowed_mime_types: Option<Vec<String>>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        Bucket {
            id: row.id,
            name: row.name,
            owner: Some(row.owner.unwrap_or_default()),
            public: row.public,
            file_size_limit: row.file_size_limit,
            allowed_mime_types: row.allowed_mime_types,
            created_at: row.created_at.unwrap_or_default(),
            updated_at: row.updated_at.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ObjectRow {
    id: String,
    bucket_id: String,
    name: String,
    version: Option<String>,
    owner_id: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_accessed_at: Option<String>,
    metadata: Option<Metadata>,
    user_metadata: Option<Json>,
}

impl From<ObjectRow> for Object {
    fn from(row: ObjectRow) -> Self {
        Object {
            // Projects have objects that are older than versions.
            version: row.version.unwrap_or_else(|| row.id.clone()),
            id: row.id,
            bucket_id: row.bucket_id,
            name: row.name,
            owner_id: row.owner_id,
            created_at: row.created_at.unwrap_or_default(),
            updated_at: row.updated_at.unwrap_or_default(),
            last_accessed_at: row.last_accessed_at,
            metadata: row.metadata.unwrap_or_default(),
            user_metadata: row.user_metadata,
        }
    }
}

/// The filter for a column that equals one of several texts.
pub(super) fn one_of(column: &str, texts: Vec<String>) -> Filter {
    Filter::Compare(Comparison {
        field: Field::column(column),
        operator: Operator::In,
        quantifier: None,
        operand: Operand::List(texts),
    })
}

/// The filter for a column that begins with a text.
pub(super) fn begins_with(column: &str, text: &str) -> Filter {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Filter::Compare(Comparison {
        field: Field::column(column),
        operator: Operator::Like,
        quantifier: None,
        operand: Operand::Text(pattern),
    })
}
