//! Files of a project.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use truststream_kernel::{Body, Context, Driven, ErrorKind, Handle};
use truststream_services::storage::{
    Access, BucketSettings, ByteRange, CopyObject, CreateBucket, DeleteBucket, Download, EmptyBucket,
    GetBucket, Info, ListBuckets, ListObjects, MoveObject, RemoveObjects, SignDownloads, SignUpload, Storage,
    UpdateBucket, Upload,
};
use truststream_supabase::RemoteStorage;

use crate::support::{MEMORY, Remote};

async fn storage() -> (Storage, Remote) {
    let project = Remote::start(MEMORY).await;
    let remote = RemoteStorage::new(&project.keys).unwrap();
    let storage: Storage = Handle::new(Arc::new(Driven(remote)), Context::system());
    let settings = BucketSettings { file_size_limit: Some(1 << 20), ..BucketSettings::default() };
    let made = storage.send(CreateBucket { name: "docs".into(), settings }).await.unwrap();
    assert_eq!((made.id.as_str(), made.public, made.file_size_limit), ("docs", false, Some(1 << 20)));
    (storage, project)
}

fn upload(name: &str, body: impl Into<Body>) -> Upload {
    Upload {
        bucket: "docs".into(),
        name: name.into(),
        body: body.into(),
        content_type: "text/plain".into(),
        cache_control: "max-age=60".into(),
        user_metadata: Some(json!({ "by": "ada" })),
        upsert: false,
        access: Access::Caller,
    }
}

fn download(name: &str, range: Option<ByteRange>) -> Download {
    Download { bucket: "docs".into(), name: name.into(), range, access: Access::Caller }
}

async fn text(storage: &Storage, op: Download) -> String {
    let body = storage.send(op).await.unwrap().body;
    let bytes = body.collect(1 << 20).await.unwrap();
    // A body can be read again.
    assert_eq!(body.collect(1 << 20).await.unwrap(), bytes);
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_stored_read_listed_and_removed() {
    let (storage, _project) = storage().await;
    let name = "a folder/b & c+d?.txt";
    assert!(!storage.send(upload(name, b"hello, world".as_slice())).await.unwrap().id.is_empty());
    assert_eq!(text(&storage, download(name, None)).await, "hello, world");
    assert_eq!(text(&storage, download(name, Some(ByteRange::From(7, Some(8))))).await, "wo");
    assert_eq!(text(&storage, download(name, Some(ByteRange::Last(5)))).await, "world");
    let part = storage.send(download(name, Some(ByteRange::From(7, None)))).await.unwrap();
    assert_eq!((part.range, part.object.metadata.size), (Some((7, 12)), 12));
    let info = Info { bucket: "docs".into(), name: name.into(), access: Access::Caller };
    let info = storage.send(info).await.unwrap();
    assert_eq!((info.metadata.size, info.user_metadata), (12, Some(json!({ "by": "ada" }))));
    let again = storage.send(upload(name, b"x".as_slice())).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::AlreadyExists, "KeyAlreadyExists"));
    let list = |prefix: &str| ListObjects {
        bucket: "docs".into(),
        prefix: prefix.into(),
        limit: 10,
        offset: 0,
        search: String::new(),
        sort_by: "name".into(),
        descending: false,
    };
    let folder = storage.send(list("")).await.unwrap();
    assert_eq!((folder[0].name.as_str(), &folder[0].id), ("a folder", &None));
    assert_eq!(storage.send(list("a folder")).await.unwrap()[0].metadata.as_ref().unwrap().size, 12);
    let remove = RemoveObjects { bucket: "docs".into(), names: vec![name.into(), "gone".into()] };
    assert_eq!(storage.send(remove).await.unwrap().len(), 1);
    assert_eq!(storage.send(download(name, None)).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_streamed_both_ways() {
    let (storage, _project) = storage().await;
    let whole: Vec<u8> = (0..500_000u32).map(|at| (at % 251) as u8).collect();
    let chunks: Vec<Bytes> = whole.chunks(70_000).map(Bytes::copy_from_slice).collect();
    let body = Body::opened_by(Some(whole.len() as u64), move || {
        Box::pin(futures::stream::iter(chunks.clone().into_iter().map(Ok)))
    });
    storage.send(upload("big", body)).await.unwrap();
    let found = storage.send(download("big", None)).await.unwrap();
    assert_eq!(found.body.length(), Some(500_000));
    assert_eq!(found.body.collect(1 << 20).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_moved_copied_and_signed() {
    let (storage, _project) = storage().await;
    storage.send(upload("one", b"1".as_slice())).await.unwrap();
    let docs = || "docs".to_owned();
    let copy =
        CopyObject { bucket: docs(), from: "one".into(), to_bucket: docs(), to: "two".into(), upsert: false };
    assert_eq!(storage.send(copy).await.unwrap().name, "two");
    let rename = MoveObject { bucket: docs(), from: "two".into(), to_bucket: docs(), to: "three".into() };
    storage.send(rename).await.unwrap();
    let names = vec!["three".to_owned(), "two".to_owned()];
    let signed = storage.send(SignDownloads { bucket: docs(), names, expires_in: 60 }).await.unwrap();
    let token = signed[0].token.clone().unwrap();
    assert!(signed[1].token.is_err(), "{signed:?}");
    let by_token = Download { access: Access::Token(token), ..download("three", None) };
    assert_eq!(text(&storage, by_token).await, "1");
    let token =
        storage.send(SignUpload { bucket: docs(), name: "four".into(), upsert: false }).await.unwrap();
    let by_token = Upload { access: Access::Token(token), ..upload("four", b"4".as_slice()) };
    storage.send(by_token).await.unwrap();
    assert_eq!(text(&storage, download("four", None)).await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_changed_emptied_and_deleted() {
    let (storage, _project) = storage().await;
    storage.send(upload("one", b"1".as_slice())).await.unwrap();
    let update = UpdateBucket {
        id: "docs".into(),
        public: Some(true),
        file_size_limit: Some(None),
        allowed_mime_types: None,
    };
    storage.send(update).await.unwrap();
    let bucket = storage.send(GetBucket { id: "docs".into() }).await.unwrap();
    assert_eq!((bucket.public, bucket.file_size_limit), (true, None));
    let public = Download { access: Access::Public, ..download("one", None) };
    assert_eq!(text(&storage, public).await, "1");
    assert!(storage.send(DeleteBucket { id: "docs".into() }).await.is_err(), "it holds an object");
    storage.send(EmptyBucket { id: "docs".into() }).await.unwrap();
    storage.send(DeleteBucket { id: "docs".into() }).await.unwrap();
    assert_eq!(storage.send(ListBuckets).await.unwrap(), []);
    assert_eq!(storage.send(GetBucket { id: "docs".into() }).await.unwrap_err().kind(), ErrorKind::NotFound);
}
