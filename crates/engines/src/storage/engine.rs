//! The engine as a driver of the Storage service.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use truststream_kernel::{Context, ErrorKind, FeatureSet, Features, Result, Secret, Settings, units};
use truststream_services::database::{Database, Delete, Filter, Returning, Update, WriteOptions};
use truststream_services::objects::{Get, Objects, Remove};
use truststream_services::storage::{
    Access, Bucket, ByteRange, CopyObject, CreateBucket, DeleteBucket, Download, Downloaded, EmptyBucket,
    GetBucket, Info, ListBuckets, ListObjects, Listed, MoveObject, Object, RemoveObjects, SignDownloads,
    SignUpload, Signed, StorageDriver, StorageFeature, UpdateBucket, Upload, object_key, operation,
};

use super::error::{already_exists, from_database, invalid_range, no_such_bucket, no_such_key};
use super::names::check_object;
use super::rows::{ObjectRow, body, find_bucket, find_object, named, object_query, objects, read};
use super::tokens::{Grant, Purpose, Tokens};

/// `[storage]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// Largest object, unless its bucket has a lower limit.
    #[serde(with = "units::bytes")]
    pub file_size_limit: u64,
}

impl Default for StorageSettings {
    fn default() -> Self {
        StorageSettings { file_size_limit: 50 << 20 }
    }
}

/// Native storage on a database and an object store.
pub struct StorageEngine {
    pub(super) database: Database,
    pub(super) objects: Objects,
    pub(super) settings: StorageSettings,
    tokens: Tokens,
}

impl StorageEngine {
    /// An engine; `secret` signs its URLs.
    pub fn new(database: Database, objects: Objects, settings: StorageSettings, secret: &Secret) -> Self {
        StorageEngine { database, objects, settings, tokens: Tokens::new(secret.expose()) }
    }

    /// The database as the caller may use it.
    pub(super) fn caller(&self, cx: &Context) -> Database {
        self.database.with(cx.clone())
    }

    /// The object that `access` gives the right to read.
    async fn readable(&self, cx: &Context, bucket: &str, name: &str, access: &Access) -> Result<Object> {
        let database = match access {
            Access::Caller => self.caller(cx),
            Access::Public => {
                let found = find_bucket(&self.database, bucket).await?;
                found.filter(|bucket| bucket.public).ok_or_else(no_such_bucket)?;
                self.database.clone()
            }
            Access::Token(token) => {
                self.tokens.check(token, Purpose::Download, &format!("{bucket}/{name}"))?;
                self.database.clone()
            }
        };
        find_object(&database, bucket, name).await?.ok_or_else(no_such_key)
    }

    /// The bytes of the object that `access` gives the right to read. Whoever writes a new version removes
    /// the one before it, so where bytes are gone the object is looked for again.
    ///
    /// # Errors
    /// `NoSuchKey` if it is gone, or its bytes are and no other version is there.
    async fn bytes_of(&self, cx: &Context, op: &Download) -> Result<Downloaded> {
        let mut object = self.readable(cx, &op.bucket, &op.name, &op.access).await?;
        loop {
            let range = op.range.map(|range| resolve(range, object.metadata.size)).transpose()?;
            let get = Get { key: object_key(&object.version), range };
            match self.objects.send(get).await {
                Ok(body) => return Ok(Downloaded { object, body, range }),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let present = self.readable(cx, &op.bucket, &op.name, &op.access).await?;
                    if present.version == object.version {
                        return Err(no_such_key().with_source(error));
                    }
                    object = present;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What an upload token allows.
    pub(super) fn upload_grant(&self, token: &str, bucket: &str, name: &str) -> Result<Grant> {
        self.tokens.check(token, Purpose::Upload, &format!("{bucket}/{name}"))
    }

    /// Removes bytes that no row speaks of any more. A failure leaves bytes behind that nobody can
    /// reach; it does not undo what was done.
    pub(super) async fn forget(&self, version: &str) {
        if let Err(error) = self.objects.send(Remove { key: object_key(version) }).await {
            tracing::warn!(?error, version, "the bytes of a removed object stay behind");
        }
    }
}

impl StorageDriver for StorageEngine {
    fn features(&self) -> Features {
        let all = [StorageFeature::Ranges, StorageFeature::SignedUrls, StorageFeature::Policies];
        Features { native: FeatureSet::of(&all), emulated: FeatureSet::EMPTY }
    }

    async fn create_bucket(&self, cx: &Context, op: &CreateBucket) -> Result<Bucket> {
        self.make_bucket(&during(cx, operation::CREATE_BUCKET), op).await
    }

    async fn get_bucket(&self, cx: &Context, op: &GetBucket) -> Result<Bucket> {
        let cx = &during(cx, operation::GET_BUCKET);
        find_bucket(&self.caller(cx), &op.id).await?.ok_or_else(no_such_bucket)
    }

    async fn list_buckets(&self, cx: &Context, _op: &ListBuckets) -> Result<Vec<Bucket>> {
        self.all_buckets(&during(cx, operation::LIST_BUCKETS)).await
    }

    async fn update_bucket(&self, cx: &Context, op: &UpdateBucket) -> Result<()> {
        self.change_bucket(&during(cx, operation::UPDATE_BUCKET), op).await
    }

    async fn empty_bucket(&self, cx: &Context, op: &EmptyBucket) -> Result<()> {
        let cx = &during(cx, operation::EMPTY_BUCKET);
        find_bucket(&self.caller(cx), &op.id).await?.ok_or_else(no_such_bucket)?;
        self.remove_where(cx, Filter::eq("bucket_id", &op.id)).await.map(drop)
    }

    async fn delete_bucket(&self, cx: &Context, op: &DeleteBucket) -> Result<()> {
        self.drop_bucket(&during(cx, operation::DELETE_BUCKET), &op.id).await
    }

    async fn upload(&self, cx: &Context, op: &Upload) -> Result<Object> {
        self.store(&during(cx, operation::UPLOAD), op).await
    }

    async fn download(&self, cx: &Context, op: &Download) -> Result<Downloaded> {
        self.bytes_of(&during(cx, operation::DOWNLOAD), op).await
    }

    async fn info(&self, cx: &Context, op: &Info) -> Result<Object> {
        let cx = &during(cx, operation::INFO);
        self.readable(cx, &op.bucket, &op.name, &op.access).await
    }

    async fn list_objects(&self, cx: &Context, op: &ListObjects) -> Result<Vec<Listed>> {
        self.list(&during(cx, operation::LIST_OBJECTS), op).await
    }

    async fn remove_objects(&self, cx: &Context, op: &RemoveObjects) -> Result<Vec<Object>> {
        find_bucket(&self.database, &op.bucket).await?.ok_or_else(no_such_bucket)?;
        if op.names.is_empty() {
            return Ok(Vec::new());
        }
        let cx = &during(cx, operation::REMOVE_OBJECTS);
        let names = super::rows::one_of("name", op.names.clone());
        self.remove_where(cx, Filter::And(vec![Filter::eq("bucket_id", &op.bucket), names])).await
    }

    async fn move_object(&self, cx: &Context, op: &MoveObject) -> Result<()> {
        check_object(&op.to)?;
        let target = find_bucket(&self.database, &op.to_bucket).await?.ok_or_else(no_such_bucket)?;
        let database = self.caller(&during(cx, operation::MOVE_OBJECT));
        let object = find_object(&database, &op.bucket, &op.from).await?.ok_or_else(no_such_key)?;
        self.check_limits(&target, object.metadata.size, &object.metadata.mimetype)?;
        let values = json!({ "bucket_id": op.to_bucket, "name": op.to, "updated_at": "now" });
        let update = Update::new(objects(), body(&values), object_query(named(&op.bucket, &op.from)));
        let moved = database.send(update).await.map_err(|error| from_database(error, already_exists))?;
        if moved.rows == 1 { Ok(()) } else { Err(from_database(denied(), already_exists)) }
    }

    async fn copy_object(&self, cx: &Context, op: &CopyObject) -> Result<Object> {
        let cx = &during(cx, operation::COPY_OBJECT);
        let (bucket, name) = (op.bucket.clone(), op.from.clone());
        let read = Download { bucket, name, range: None, access: Access::Caller };
        let Downloaded { object: original, body, .. } = self.bytes_of(cx, &read).await?;
        let upload = Upload {
            bucket: op.to_bucket.clone(),
            name: op.to.clone(),
            body,
            content_type: original.metadata.mimetype,
            cache_control: original.metadata.cache_control,
            user_metadata: original.user_metadata,
            upsert: op.upsert,
            access: Access::Caller,
        };
        self.store(cx, &upload).await
    }

    async fn sign_downloads(&self, cx: &Context, op: &SignDownloads) -> Result<Vec<Signed>> {
        let one = op.names.len() == 1;
        let operation = if one { operation::SIGN_DOWNLOAD } else { operation::SIGN_DOWNLOADS };
        let database = self.caller(&during(cx, operation));
        let mut signed = Vec::with_capacity(op.names.len());
        for name in &op.names {
            let token = match find_object(&database, &op.bucket, name).await? {
                None => Err("Either the object does not exist or you do not have access to it".to_owned()),
                Some(_) => {
                    let grant = Grant { owner: None, upsert: false };
                    let object = format!("{}/{name}", op.bucket);
                    Ok(self.tokens.sign(Purpose::Download, &object, grant, now(), op.expires_in)?)
                }
            };
            signed.push(Signed { name: name.clone(), token });
        }
        Ok(signed)
    }

    async fn sign_upload(&self, cx: &Context, op: &SignUpload) -> Result<String> {
        check_object(&op.name)?;
        find_bucket(&self.database, &op.bucket).await?.ok_or_else(no_such_bucket)?;
        let cx = &during(cx, operation::SIGN_UPLOAD);
        self.check_may_upload(cx, &op.bucket, &op.name, op.upsert).await?;
        let owner = cx.identity().and_then(|identity| identity.subject()).map(str::to_owned);
        let grant = Grant { owner, upsert: op.upsert };
        self.tokens.sign(Purpose::Upload, &format!("{}/{}", op.bucket, op.name), grant, now(), TWO_HOURS)
    }
}

/// How long an upload URL is good, as with Supabase Storage.
const TWO_HOURS: u64 = 2 * 60 * 60;

impl StorageEngine {
    /// Removes the objects that match and that the caller may remove.
    async fn remove_where(&self, cx: &Context, filter: Filter) -> Result<Vec<Object>> {
        let delete = Delete {
            options: WriteOptions { returning: Returning::Representation, ..WriteOptions::default() },
            ..Delete::new(objects(), object_query(filter))
        };
        let page = self.caller(cx).send(delete).await?;
        let removed: Vec<Object> = read::<ObjectRow>(&page)?.into_iter().map(Object::from).collect();
        for object in &removed {
            self.forget(&object.version).await;
        }
        Ok(removed)
    }
}

/// The caller doing an operation that policies may ask for. Whoever knows better than the engine which one
/// it is has said so.
fn during(cx: &Context, operation: Settings) -> Context {
    let settings = if cx.settings.is_empty() { operation } else { cx.settings };
    Context { settings, ..cx.clone() }
}

fn denied() -> truststream_kernel::Error {
    truststream_kernel::Error::permission_denied("new row violates row-level security policy")
}

/// First byte and, exclusively, last byte of a part of an object of `size` bytes.
fn resolve(range: ByteRange, size: u64) -> Result<(u64, u64)> {
    let (start, end) = match range {
        ByteRange::From(start, last) => (start, last.map_or(size, |last| last.saturating_add(1).min(size))),
        ByteRange::Last(count) => (size.saturating_sub(count), size),
    };
    if start < end { Ok((start, end)) } else { Err(invalid_range()) }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
