//! Objects that are replaced, or whose fate is unknown, while somebody reads them.

use std::sync::Arc;

use parking_lot::Mutex;
use truststream_engines::storage::{MIGRATIONS, StorageEngine, StorageSettings};
use truststream_kernel::{BoxFuture, Call, Context, Driven, Error, Features, Outcome, Result, Secret, Stack};
use truststream_objects::ObjectsProvider;
use truststream_services::database::{Database, DatabaseOp, DatabaseReply, DatabaseService};
use truststream_services::objects::{Objects, ObjectsOp, ObjectsReply, ObjectsService, Remove};
use truststream_services::storage::{
    Access, BucketSettings, CopyObject, CreateBucket, Download, Storage, StorageService, Upload, object_key,
};

use crate::support::{Backend, TestDatabase};

/// What happens once, before the bytes of an object are asked for.
type Event = Mutex<Option<BoxFuture<'static, ()>>>;

/// A store of objects, before each answer of which something may happen.
struct Interrupted {
    store: Stack<ObjectsService>,
    event: Arc<Event>,
}

impl Call<ObjectsService> for Interrupted {
    fn features(&self) -> Features {
        self.store.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a ObjectsOp) -> BoxFuture<'a, Result<ObjectsReply>> {
        Box::pin(async move {
            let event = if matches!(op, ObjectsOp::Get(_)) { self.event.lock().take() } else { None };
            if let Some(event) = event {
                event.await;
            }
            self.store.call(cx, op).await
        })
    }
}

/// A database whose answer to the next batch is lost, after it was done.
struct Forgetful {
    database: Stack<DatabaseService>,
    forgets: Arc<Mutex<bool>>,
}

impl Call<DatabaseService> for Forgetful {
    fn features(&self) -> Features {
        self.database.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        Box::pin(async move {
            let reply = self.database.call(cx, op).await?;
            if matches!(op, DatabaseOp::Batch(_)) && std::mem::take(&mut *self.forgets.lock()) {
                return Err(Error::unavailable("the answer was lost").with_outcome(Outcome::Unknown));
            }
            Ok(reply)
        })
    }
}

struct Place {
    storage: Storage,
    bytes: Objects,
    event: Arc<Event>,
    forgets: Arc<Mutex<bool>>,
    _database: TestDatabase,
}

impl Place {
    async fn new() -> Self {
        let database = TestDatabase::new(Backend::Sqlite, MIGRATIONS).await;
        let (event, forgets) = (Arc::<Event>::default(), Arc::<Mutex<bool>>::default());
        let store: Stack<ObjectsService> = Arc::new(Driven(ObjectsProvider::memory().unwrap()));
        let bytes = Objects::new(Arc::clone(&store), Context::system());
        let objects = Interrupted { store, event: Arc::clone(&event) };
        let inner = Arc::clone(database.database.stack());
        let rows = Forgetful { database: inner, forgets: Arc::clone(&forgets) };
        let engine = StorageEngine::new(
            Database::new(Arc::new(rows), Context::system()),
            Objects::new(Arc::new(objects), Context::system()),
            StorageSettings::default(),
            &Secret::new("a secret for signed urls, which nobody makes"),
        );
        let stack: Stack<StorageService> = Arc::new(Driven(engine));
        let storage = Storage::new(stack, Context::system());
        let bucket = CreateBucket { name: "b".to_owned(), settings: BucketSettings::default() };
        storage.send(bucket).await.unwrap();
        Place { storage, bytes, event, forgets, _database: database }
    }

    async fn read(&self, name: &str) -> Result<String> {
        let (bucket, name) = ("b".to_owned(), name.to_owned());
        let download = Download { bucket, name, range: None, access: Access::Caller };
        let bytes = self.storage.send(download).await?.body.collect(100).await?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The next time that bytes are asked for, another version has just come.
    fn replace_before_bytes(&self, content: &'static str) {
        let storage = self.storage.clone();
        let replace = async move { drop(storage.send(upload(content)).await.unwrap()) };
        *self.event.lock() = Some(Box::pin(replace));
    }
}

fn upload(content: &'static str) -> Upload {
    Upload {
        bucket: "b".to_owned(),
        name: "a.txt".to_owned(),
        body: content.into(),
        content_type: "text/plain".to_owned(),
        cache_control: "no-cache".to_owned(),
        user_metadata: None,
        upsert: true,
        access: Access::Caller,
    }
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_there() {
    let place = Place::new().await;
    place.storage.send(upload("first")).await.unwrap();
    place.replace_before_bytes("second");
    assert_eq!(place.read("a.txt").await.unwrap(), "second");
    place.replace_before_bytes("third");
    let copy = CopyObject {
        bucket: "b".to_owned(),
        from: "a.txt".to_owned(),
        to_bucket: "b".to_owned(),
        to: "c.txt".to_owned(),
        upsert: false,
    };
    place.storage.send(copy).await.unwrap();
    assert_eq!(place.read("c.txt").await.unwrap(), "third");
}

#[tokio::test]
async fn bytes_that_a_row_may_speak_of_are_kept() {
    let place = Place::new().await;
    place.storage.send(upload("first")).await.unwrap();
    *place.forgets.lock() = true;
    let error = place.storage.send(upload("second")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(place.read("a.txt").await.unwrap(), "second");
}

#[tokio::test]
async fn an_object_without_bytes_is_said_to_be_gone() {
    let place = Place::new().await;
    let object = place.storage.send(upload("first")).await.unwrap();
    place.bytes.send(Remove { key: object_key(&object.version) }).await.unwrap();
    assert_eq!(place.read("a.txt").await.unwrap_err().code(), "NoSuchKey");
}
