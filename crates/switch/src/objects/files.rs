//! Where the bytes of files lie, and how they are named there.

use serde_json::Value as Json;
use truststream_kernel::{Body, ErrorKind, Result, Row, Value};
use truststream_services::objects::{Get, Head, Objects, Put, Remove};
use truststream_services::storage::{Access, Download, Info, RemoveObjects, Storage, Upload, object_key};

/// Where a backend keeps the bytes of its files.
#[derive(Clone)]
pub enum Files {
    /// In an object store, under keys of their versions.
    Store(Objects),
    /// Behind a platform's storage API, by bucket and name. The platform writes the rows of what is uploaded
    /// itself, and chooses the versions.
    Platform(Storage),
}

/// A file as its row tells of it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) bucket: String,
    pub(crate) name: String,
    version: String,
    metadata: Json,
    user_metadata: Option<Json>,
}

impl File {
    /// The file of a row of `storage.objects`; `None` where the row lacks what names one.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        let text = |column: &str| row.get(column).and_then(Value::to_text);
        let json = |column: &str| serde_json::from_str(&text(column)?).ok();
        Some(File {
            id: text("id")?,
            bucket: text("bucket_id")?,
            name: text("name")?,
            // Projects have files that are older than versions.
            version: text("version").or_else(|| text("id"))?,
            metadata: json("metadata").unwrap_or_default(),
            user_metadata: json("user_metadata").filter(|told: &Json| !told.is_null()),
        })
    }

    /// The same with the version that another side has of it.
    pub(crate) fn of_version(self, version: String) -> Self {
        File { version, ..self }
    }

    /// The key of its bytes in an object store.
    pub(crate) fn key(&self) -> String {
        object_key(&self.version)
    }

    /// The bytes that its row says it has.
    pub(crate) fn size(&self) -> u64 {
        self.metadata["size"].as_u64().unwrap_or_default()
    }

    /// Whether these are the bytes and the name of the same version.
    pub(crate) fn is(&self, (bucket, name, version): (&str, &str, &str)) -> bool {
        (&*self.bucket, &*self.name, &*self.version) == (bucket, name, version)
    }

    /// How people call it: its bucket and its name.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.bucket, self.name)
    }

    fn said(&self, name: &str, otherwise: &str) -> String {
        self.metadata[name].as_str().filter(|text| !text.is_empty()).unwrap_or(otherwise).to_owned()
    }
}

impl Files {
    /// Whether a platform writes the rows of what is uploaded.
    pub(crate) fn platform(&self) -> Option<&Storage> {
        match self {
            Files::Store(_) => None,
            Files::Platform(storage) => Some(storage),
        }
    }

    /// How many bytes a file has; `None` if it is not there.
    pub(crate) async fn size(&self, file: &File) -> Result<Option<u64>> {
        found(match self {
            Files::Store(objects) => objects.send(Head { key: file.key() }).await.map(|stored| stored.size),
            Files::Platform(storage) => {
                let File { bucket, name, .. } = file.clone();
                let info = Info { bucket, name, access: Access::Caller };
                storage.send(info).await.map(|object| object.metadata.size)
            }
        })
    }

    /// The bytes of a file; `None` if it is not there.
    pub(crate) async fn read(&self, file: &File) -> Result<Option<Body>> {
        found(match self {
            Files::Store(objects) => objects.send(Get { key: file.key(), range: None }).await,
            Files::Platform(storage) => {
                let File { bucket, name, .. } = file.clone();
                let download = Download { bucket, name, range: None, access: Access::Caller };
                storage.send(download).await.map(|downloaded| downloaded.body)
            }
        })
    }

    /// Keeps the bytes of a file, in the place of those it had; returns how many it has then.
    pub(crate) async fn write(&self, file: &File, body: Body) -> Result<u64> {
        match self {
            Files::Store(objects) => Ok(objects.send(Put { key: file.key(), body }).await?.size),
            Files::Platform(storage) => {
                let upload = Upload {
                    bucket: file.bucket.clone(),
                    name: file.name.clone(),
                    body,
                    content_type: file.said("mimetype", "application/octet-stream"),
                    cache_control: file.said("cacheControl", "no-cache"),
                    user_metadata: file.user_metadata.clone(),
                    upsert: true,
                    access: Access::Caller,
                };
                storage.send(upload).await?;
                Ok(self.size(file).await?.unwrap_or_default())
            }
        }
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) async fn remove(&self, file: &File) -> Result<()> {
        match self {
            Files::Store(objects) => objects.send(Remove { key: file.key() }).await,
            Files::Platform(storage) => {
                let remove = RemoveObjects { bucket: file.bucket.clone(), names: vec![file.name.clone()] };
                found(storage.send(remove).await).map(drop)
            }
        }
    }
}

fn found<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
