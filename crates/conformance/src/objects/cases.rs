//! Objects by key: stored whole, read whole or in part, listed in order.

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use truststream_kernel::{Body, Error, ErrorKind, Result};
use truststream_services::objects::{Check, Get, Head, List, Objects, ObjectsService, Put, Remove, Stored};

use crate::{Env, Outcome};

async fn put(objects: &Objects, key: &str, bytes: impl Into<Body>) -> Result<Stored> {
    objects.send(Put { key: key.into(), body: bytes.into() }).await
}

async fn get(objects: &Objects, key: &str) -> Result<Bytes> {
    objects.send(Get { key: key.into(), range: None }).await?.collect(1 << 30).await
}

async fn list(objects: &Objects, prefix: &str) -> Result<Vec<String>> {
    objects.send(List { prefix: prefix.into() }).await
}

#[track_caller]
fn not_found<T>(outcome: Result<T>) {
    match outcome {
        Ok(_) => panic!("found what is not there"),
        Err(error) => {
            assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NoSuchKey"), "{error:?}")
        }
    }
}

pub(super) async fn what_is_stored_is_read(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    let all: Vec<u8> = (0..=255).collect();
    for (key, bytes) in [("a", b"hello".to_vec()), ("deep/er/key", all), ("empty", Vec::new())] {
        assert_eq!(put(objects, key, bytes.clone()).await?, Stored { size: bytes.len() as u64 });
        assert_eq!(get(objects, key).await?, bytes);
        assert_eq!(objects.send(Head { key: key.into() }).await?, Stored { size: bytes.len() as u64 });
    }
    Ok(())
}

pub(super) async fn a_put_replaces(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    put(objects, "k", b"a longer first body".to_vec()).await?;
    put(objects, "k", b"second".to_vec()).await?;
    assert_eq!(get(objects, "k").await?, "second");
    assert_eq!(list(objects, "").await?, ["k"]);
    Ok(())
}

pub(super) async fn parts_are_read(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    put(objects, "k", b"0123456789".to_vec()).await?;
    for (range, expected) in [((0, 10), "0123456789"), ((2, 5), "234"), ((9, 10), "9"), ((0, 1), "0")] {
        let body = objects.send(Get { key: "k".into(), range: Some(range) }).await?;
        assert_eq!(body.collect(100).await?, expected, "{range:?}");
    }
    not_found(objects.send(Get { key: "none".into(), range: Some((0, 1)) }).await);
    Ok(())
}

pub(super) async fn what_is_missing_is_not_found(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    put(objects, "folder/k", b"x".to_vec()).await?;
    for key in ["none", "folder", "folder/none", "folder/k/deeper"] {
        not_found(objects.send(Head { key: key.into() }).await);
        not_found(get(objects, key).await);
    }
    Ok(())
}

pub(super) async fn removal(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    put(objects, "a/k", b"x".to_vec()).await?;
    put(objects, "a/l", b"y".to_vec()).await?;
    objects.send(Remove { key: "a/k".into() }).await?;
    not_found(get(objects, "a/k").await);
    objects.send(Remove { key: "a/k".into() }).await?;
    objects.send(Remove { key: "a".into() }).await?;
    assert_eq!(list(objects, "").await?, ["a/l"]);
    Ok(())
}

pub(super) async fn keys_are_listed_sorted(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    assert!(list(objects, "").await?.is_empty());
    for key in ["b/2", "b/10", "a", "b/1", "bb", "c/d/e", "b-"] {
        put(objects, key, b"x".to_vec()).await?;
    }
    assert_eq!(list(objects, "").await?, ["a", "b-", "b/1", "b/10", "b/2", "bb", "c/d/e"]);
    assert_eq!(list(objects, "b/").await?, ["b/1", "b/10", "b/2"]);
    assert_eq!(list(objects, "b").await?, ["b-", "b/1", "b/10", "b/2", "bb"]);
    assert_eq!(list(objects, "b/1").await?, ["b/1", "b/10"]);
    assert_eq!(list(objects, "c/d/").await?, ["c/d/e"]);
    assert!(list(objects, "none/").await?.is_empty());
    Ok(())
}

pub(super) async fn odd_keys_are_kept_apart(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    let mut keys = vec![
        "space in key",
        " leading",
        "trailing ",
        "plus+and%20percent",
        "%2F",
        "%",
        "quote'\"",
        "back\\slash",
        "ünï/cödé",
        "e\u{301}",
        "é",
        "😀",
        "UPPER",
        "upper",
        "semi;colon?query#hash",
        "a:b|c*d<e>f",
        "dots...",
        ".hidden",
        "tab\there",
        "line\nbreak",
        "con",
        "~",
        "$HOME",
        "`x`",
    ];
    for key in &keys {
        put(objects, key, key.as_bytes().to_vec()).await?;
    }
    for key in &keys {
        assert_eq!(get(objects, key).await?, key.as_bytes(), "{key:?}");
    }
    keys.sort_unstable();
    assert_eq!(list(objects, "").await?, keys);
    Ok(())
}

pub(super) async fn keys_never_leave_the_root(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    let long = "x".repeat(600);
    for key in ["../up", "a/../../up", "/etc/passwd", "..", ".", "a/./b", "a//b", "../../../../tmp/x", &long]
    {
        // Either the key is refused as such, or it is a name like any other.
        match put(objects, key, b"x".to_vec()).await {
            Ok(_) => {
                assert_eq!(get(objects, key).await?, "x", "{key:?}");
                assert_eq!(list(objects, "").await?, [key]);
                objects.send(Remove { key: key.into() }).await?;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?} {error:?}"),
        }
    }
    assert!(list(objects, "").await?.is_empty());
    Ok(())
}

/// A body of `chunks` pieces of a MiB; after them it fails if `fails`.
fn streamed(chunks: u8, fails: bool) -> Body {
    Body::opened_by(None, move || {
        let pieces = (0..chunks).map(|at| Ok(Bytes::from(vec![at; 1 << 20])));
        let end = fails.then(|| Err(Error::unavailable("the sender went away")));
        stream::iter(pieces.chain(end).collect::<Vec<_>>()).boxed()
    })
}

pub(super) async fn large_bodies_are_streamed(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    assert_eq!(put(objects, "large", streamed(12, false)).await?, Stored { size: 12 << 20 });
    let mut stream = objects.send(Get { key: "large".into(), range: None }).await?.stream();
    let (mut size, mut chunks) = (0, 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        assert!(chunk.iter().enumerate().all(|(at, byte)| usize::from(*byte) == (size + at) >> 20));
        size += chunk.len();
        chunks += 1;
    }
    assert_eq!(size, 12 << 20);
    assert!(chunks > 1, "it came in one piece");
    Ok(())
}

pub(super) async fn a_failed_put_leaves_the_old(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service();
    put(objects, "k", b"old".to_vec()).await?;
    assert!(put(objects, "k", streamed(6, true)).await.is_err());
    assert!(put(objects, "new", streamed(6, true)).await.is_err());
    assert_eq!(get(objects, "k").await?, "old");
    not_found(get(objects, "new").await);
    assert_eq!(list(objects, "").await?, ["k"]);
    Ok(())
}

pub(super) async fn readers_see_whole_objects(env: Env<ObjectsService>) -> Outcome {
    let objects = env.service().clone();
    let version = |number: u8| vec![number; 300_000];
    put(&objects, "k", version(0)).await?;
    let writer = objects.clone();
    let writing = tokio::spawn(async move {
        for number in 1..30 {
            put(&writer, "k", version(number)).await?;
        }
        Ok::<(), Error>(())
    });
    while !writing.is_finished() {
        let body = get(&objects, "k").await?;
        assert!(body.len() == 300_000 && body.iter().all(|byte| *byte == body[0]), "a mixture was read");
        tokio::task::yield_now().await;
    }
    let Ok(written) = writing.await else { panic!("the writer stopped") };
    written?;
    assert_eq!(get(&objects, "k").await?, version(29));
    Ok(())
}

pub(super) async fn it_answers(env: Env<ObjectsService>) -> Outcome {
    env.service().send(Check).await?;
    Ok(())
}
