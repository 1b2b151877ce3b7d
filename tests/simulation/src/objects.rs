//! A store of objects that nobody asks: both backends have the same.

use truststream_kernel::{Body, Context, Error, Features, Result};
use truststream_services::objects::{Check, Get, Head, List, ObjectsDriver, Put, Remove, Stored};

pub struct Nothing;

fn refused<T>() -> Result<T> {
    Err(Error::unsupported("there are no objects here"))
}

impl ObjectsDriver for Nothing {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn put(&self, _cx: &Context, _op: &Put) -> Result<Stored> {
        refused()
    }

    async fn get(&self, _cx: &Context, _op: &Get) -> Result<Body> {
        refused()
    }

    async fn head(&self, _cx: &Context, _op: &Head) -> Result<Stored> {
        refused()
    }

    async fn remove(&self, _cx: &Context, _op: &Remove) -> Result<()> {
        refused()
    }

    async fn list(&self, _cx: &Context, _op: &List) -> Result<Vec<String>> {
        refused()
    }

    async fn check(&self, _cx: &Context, _op: &Check) -> Result<()> {
        refused()
    }
}
