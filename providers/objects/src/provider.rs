//! The stores as providers of the Objects service.

use std::path::Path;
use std::sync::Arc;

use truststream_kernel::{Driven, Features, Provider, Result, Stack};
use truststream_services::objects::ObjectsService;

use crate::ObjectsProvider;
use crate::config::{FsConfig, MemoryConfig};

impl Provider<ObjectsService> for FsConfig {
    fn declares() -> Features {
        ObjectsProvider::declares()
    }

    fn locate(&mut self, project: &Path) {
        self.root = project.join(&self.root);
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }

    async fn connect(self) -> Result<Stack<ObjectsService>> {
        let here = Path::new("");
        Ok(Arc::new(Driven(ObjectsProvider::fs(&self, here)?)))
    }
}

impl Provider<ObjectsService> for MemoryConfig {
    fn declares() -> Features {
        ObjectsProvider::declares()
    }

    fn place(&self) -> String {
        "this process".to_owned()
    }

    async fn connect(self) -> Result<Stack<ObjectsService>> {
        Ok(Arc::new(Driven(ObjectsProvider::memory()?)))
    }
}

#[cfg(feature = "s3")]
impl Provider<ObjectsService> for crate::S3Config {
    fn declares() -> Features {
        ObjectsProvider::declares()
    }

    fn place(&self) -> String {
        let endpoint = self.endpoint.as_deref().unwrap_or("AWS");
        format!("{} at {endpoint} below /{}", self.bucket, self.root)
    }

    async fn connect(self) -> Result<Stack<ObjectsService>> {
        Ok(Arc::new(Driven(ObjectsProvider::s3(&self)?)))
    }
}
