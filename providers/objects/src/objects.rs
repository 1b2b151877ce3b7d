//! The driver.

use std::ops::Range;
use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use opendal::Operator;
use opendal::services;
use parking_lot::Mutex;
use truststream_kernel::{Body, ByteStream, Context, Error, FeatureSet, Features, Result};
use truststream_services::objects::{
    Check, Get, Head, List, ObjectsDriver, ObjectsFeature, Put, Remove, Stored,
};

use crate::config::FsConfig;
#[cfg(feature = "s3")]
use crate::config::S3Config;
use crate::error::from_store;
use crate::key::{from_path, to_folder, to_path};

/// An object store behind an OpenDAL operator.
pub struct ObjectsProvider {
    operator: Operator,
}

impl ObjectsProvider {
    /// What every OpenDAL store can do.
    pub(crate) fn declares() -> Features {
        Features { native: FeatureSet::of(&[ObjectsFeature::Ranges]), emulated: FeatureSet::EMPTY }
    }

    /// A folder; `project` is where relative roots start. An object being written is kept aside and
    /// moved into place when it is complete, so that readers never see half of it.
    ///
    /// # Errors
    /// `Configuration` when the folder can't be used.
    pub fn fs(config: &FsConfig, project: &Path) -> Result<Self> {
        let root = project.join(&config.root);
        let root = std::path::absolute(&root).unwrap_or(root);
        std::fs::create_dir_all(&root).map_err(|error| {
            Error::configuration(format!("the folder {} can't be made: {error}", root.display()))
                .with_source(error)
        })?;
        let objects = root.join("objects").display().to_string();
        let partial = root.join("partial").display().to_string();
        Self::build(services::Fs::default().root(&objects).atomic_write_dir(&partial))
    }

    /// Memory of this process.
    ///
    /// # Errors
    /// None in practice; the signature is that of all stores.
    pub fn memory() -> Result<Self> {
        Self::build(services::Memory::default())
    }

    /// S3 and what speaks its protocol.
    ///
    /// # Errors
    /// `Configuration` for wrong settings.
    #[cfg(feature = "s3")]
    pub fn s3(config: &S3Config) -> Result<Self> {
        opendal::install_default();
        let mut service =
            services::S3::default().bucket(&config.bucket).region(&config.region).root(&config.root);
        if let Some(endpoint) = &config.endpoint {
            service = service.endpoint(endpoint);
        }
        if let Some(key) = &config.access_key_id {
            service = service.access_key_id(key.expose());
        }
        if let Some(secret) = &config.secret_access_key {
            service = service.secret_access_key(secret.expose());
        }
        Self::build(service)
    }

    fn build(builder: impl opendal::Builder) -> Result<Self> {
        let operator = Operator::new(builder).map_err(|error| from_store(error, ""))?;
        Ok(ObjectsProvider { operator })
    }
}

impl ObjectsDriver for ObjectsProvider {
    fn features(&self) -> Features {
        ObjectsProvider::declares()
    }

    async fn put(&self, _cx: &Context, op: &Put) -> Result<Stored> {
        let failed = |error| from_store(error, &op.key);
        let path = to_path(&op.key);
        if let Body::Bytes(bytes) = &op.body {
            self.operator.write(&path, bytes.clone()).await.map_err(failed)?;
            return Ok(Stored { size: bytes.len() as u64 });
        }
        let mut writer = self.operator.writer(&path).await.map_err(failed)?;
        let mut body = op.body.stream();
        let mut size = 0;
        loop {
            match body.try_next().await {
                Ok(Some(chunk)) => {
                    size += chunk.len() as u64;
                    writer.write(chunk).await.map_err(failed)?;
                }
                Ok(None) => break,
                Err(error) => {
                    // The first error is the one to report.
                    let _ = writer.abort().await;
                    return Err(error);
                }
            }
        }
        writer.close().await.map_err(failed)?;
        Ok(Stored { size })
    }

    async fn get(&self, cx: &Context, op: &Get) -> Result<Body> {
        let size = self.head(cx, &Head { key: op.key.clone() }).await?.size;
        let (start, end) = op.range.unwrap_or((0, size));
        let end = end.min(size);
        let (operator, key) = (self.operator.clone(), op.key.clone());
        let open = move || opened(operator.clone(), key.clone(), start..end);
        // What was opened can be read to its end, whoever removes it meanwhile: so it is opened here, where
        // it can still be said that it is not there.
        let mut stream = open();
        let length = end.saturating_sub(start);
        let first = stream.try_next().await?.unwrap_or_default();
        if first.len() as u64 == length {
            return Ok(first.into());
        }
        let begun = Mutex::new(Some(futures::stream::once(async { Ok(first) }).chain(stream).boxed()));
        Ok(Body::opened_by(Some(length), move || begun.lock().take().unwrap_or_else(&open)))
    }

    async fn head(&self, _cx: &Context, op: &Head) -> Result<Stored> {
        let stat = self.operator.stat(&to_path(&op.key)).await.map_err(|error| from_store(error, &op.key))?;
        if !stat.is_file() {
            return Err(from_store(opendal::Error::new(opendal::ErrorKind::NotFound, "a folder"), &op.key));
        }
        Ok(Stored { size: stat.content_length() })
    }

    async fn remove(&self, _cx: &Context, op: &Remove) -> Result<()> {
        self.operator.delete(&to_path(&op.key)).await.map_err(|error| from_store(error, &op.key))
    }

    async fn list(&self, _cx: &Context, op: &List) -> Result<Vec<String>> {
        let folder = op.prefix.rsplit_once('/').map_or_else(String::new, |(folders, _)| to_folder(folders));
        let entries = self
            .operator
            .list_with(&folder)
            .recursive(true)
            .await
            .map_err(|error| from_store(error, &op.prefix))?;
        let mut keys: Vec<_> = entries
            .iter()
            .filter(|entry| entry.metadata().is_file())
            .filter_map(|entry| from_path(entry.path()))
            .filter(|key| key.starts_with(&op.prefix))
            .collect();
        keys.sort();
        Ok(keys)
    }

    async fn check(&self, _cx: &Context, _op: &Check) -> Result<()> {
        self.operator.check().await.map_err(|error| from_store(error, ""))
    }
}

/// A range of an object's bytes, opened when the first of them is asked for.
fn opened(operator: Operator, key: String, range: Range<u64>) -> ByteStream {
    let open = async move {
        let failed = |error| from_store(error, &key);
        let reader = operator.reader(&to_path(&key)).await.map_err(failed)?;
        let stream = reader.into_bytes_stream(range).await.map_err(failed)?;
        Ok(stream.map_err(move |error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                from_store(opendal::Error::new(opendal::ErrorKind::NotFound, "it was removed"), &key)
            }
            _ => Error::unavailable("reading the object broke off").with_source(error),
        }))
    };
    futures::stream::once(open).try_flatten().boxed()
}

#[cfg(test)]
mod tests;
