//! The object stores pass the shared suite.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use truststream_conformance::{objects::CASES, run};
use truststream_kernel::{Driven, Stack};
use truststream_objects::{FsConfig, ObjectsProvider};
use truststream_services::objects::ObjectsService;

fn stack(provider: ObjectsProvider) -> Stack<ObjectsService> {
    Arc::new(Driven(provider))
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    run("memory", CASES, || async { ObjectsProvider::memory().map(stack) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fs() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().to_owned();
    let opened = AtomicU32::new(0);
    run("fs", CASES, move || {
        let config = FsConfig { root: opened.fetch_add(1, Ordering::SeqCst).to_string().into() };
        let store = ObjectsProvider::fs(&config, &path).map(stack);
        async { store }
    })
    .await;
}
