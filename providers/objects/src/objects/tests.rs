use bytes::Bytes;
use truststream_kernel::ErrorKind;

use super::*;

async fn check_store(store: ObjectsProvider) {
    let cx = Context::system();
    let key = "avatars/../über 文.png".to_owned();
    let put = Put { key: key.clone(), body: Bytes::from_static(b"0123456789").into() };
    assert_eq!(store.put(&cx, &put).await.unwrap().size, 10);
    let chunks = || {
        let chunks = [Ok(Bytes::from_static(b"abc")), Ok(Bytes::from_static(b"def"))];
        futures::stream::iter(chunks).boxed()
    };
    let streamed = Put { key: "avatars/b".to_owned(), body: Body::opened_by(None, chunks) };
    assert_eq!(store.put(&cx, &streamed).await.unwrap().size, 6);

    let whole = store.get(&cx, &Get { key: key.clone(), range: None }).await.unwrap();
    assert_eq!(whole.collect(100).await.unwrap(), "0123456789");
    let part = store.get(&cx, &Get { key: key.clone(), range: Some((2, 5)) }).await.unwrap();
    assert_eq!((part.length(), part.collect(100).await.unwrap()), (Some(3), Bytes::from_static(b"234")));
    assert_eq!(
        store.list(&cx, &List { prefix: "ava".to_owned() }).await.unwrap(),
        [key.clone(), "avatars/b".to_owned()]
    );

    store.remove(&cx, &Remove { key: key.clone() }).await.unwrap();
    store.remove(&cx, &Remove { key: key.clone() }).await.unwrap();
    let error = store.head(&cx, &Head { key }).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NoSuchKey"));
}

#[tokio::test]
async fn a_folder_stores_objects() {
    let folder = tempfile::tempdir().unwrap();
    check_store(ObjectsProvider::fs(&FsConfig::default(), folder.path()).unwrap()).await;
}

#[tokio::test]
async fn memory_stores_objects() {
    check_store(ObjectsProvider::memory().unwrap()).await;
}

#[tokio::test]
async fn a_put_that_breaks_off_leaves_the_old_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = ObjectsProvider::fs(&FsConfig::default(), folder.path()).unwrap();
    let cx = Context::system();
    let put = |body| Put { key: "a".to_owned(), body };
    store.put(&cx, &put(Bytes::from_static(b"old").into())).await.unwrap();
    let broken = || {
        let chunks = [Ok(Bytes::from_static(b"ne")), Err(Error::unavailable("the client went away"))];
        futures::stream::iter(chunks).boxed()
    };
    store.put(&cx, &put(Body::opened_by(None, broken))).await.unwrap_err();
    let body = store.get(&cx, &Get { key: "a".to_owned(), range: None }).await.unwrap();
    assert_eq!(body.collect(10).await.unwrap(), "old");
}

#[tokio::test]
async fn what_was_opened_is_read_to_its_end_whoever_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [ObjectsProvider::fs(&FsConfig::default(), folder.path()), ObjectsProvider::memory()];
    for store in stores {
        let (store, cx) = (store.unwrap(), Context::system());
        for size in [10, 9 << 20] {
            let (key, bytes) = (size.to_string(), Bytes::from(vec![7; size]));
            store.put(&cx, &Put { key: key.clone(), body: bytes.clone().into() }).await.unwrap();
            let body = store.get(&cx, &Get { key: key.clone(), range: None }).await.unwrap();
            assert_eq!(body.length(), Some(size as u64));
            store.remove(&cx, &Remove { key: key.clone() }).await.unwrap();
            assert_eq!(body.collect(size).await.unwrap(), bytes);
            let error = store.get(&cx, &Get { key, range: None }).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}
