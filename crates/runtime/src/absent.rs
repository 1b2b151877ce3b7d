//! The object store of a backend whose files are kept elsewhere.

use truststream_kernel::{BoxFuture, Call, Context, Error, Features, Result};
use truststream_services::objects::{ObjectsOp, ObjectsReply, ObjectsService};

/// Refuses everything: a storage of its own shows no object store.
pub(crate) struct NoObjects;

impl Call<ObjectsService> for NoObjects {
    fn features(&self) -> Features {
        Features::default()
    }

    fn call<'a>(&'a self, _: &'a Context, _: &'a ObjectsOp) -> BoxFuture<'a, Result<ObjectsReply>> {
        let error = Error::unsupported("the files of this backend are in a storage of its own")
            .with_hint("a switch can't move them; copy them through the storage API");
        Box::pin(std::future::ready(Err(error)))
    }
}
