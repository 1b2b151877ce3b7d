//! The operations of the Objects service.

use truststream_kernel::{Body, FeatureSet, Requires, operations};

use super::{ObjectsDriver, ObjectsFeature};

operations! {
    /// The Objects service.
    ObjectsService("objects", ObjectsFeature), driver ObjectsDriver, op ObjectsOp, reply ObjectsReply {
        Put => put -> Stored, Write, true;
        Get => get -> Body, Read, true;
        Head => head -> Stored, Read, true;
        Remove => remove -> (), Write, true;
        List => list -> Vec<String>, Read, true;
        Check => check -> (), Read, true;
    }
}

/// Stores an object, replacing one of the same key. Readers see the old or the new one, never a
/// mixture, and a failed put leaves the old one.
#[derive(Clone, Debug)]
pub struct Put {
    /// Key: segments of any Unicode text divided by `/`; the driver encodes what its store can't
    /// hold and never leaves its root.
    pub key: String,
    /// The bytes.
    pub body: Body,
}

impl Requires for Put {}

/// What is known of a stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Size in bytes.
    pub size: u64,
}

/// Reads an object, or a part of it.
#[derive(Clone, Debug)]
pub struct Get {
    /// Key.
    pub key: String,
    /// First byte and, exclusively, last byte; the whole object if absent.
    pub range: Option<(u64, u64)>,
}

impl Requires for Get {
    fn needs(&self) -> FeatureSet {
        self.range.map_or(FeatureSet::EMPTY, |_| FeatureSet::of(&[ObjectsFeature::Ranges]))
    }
}

/// Asks for an object's size.
#[derive(Clone, Debug)]
pub struct Head {
    /// Key.
    pub key: String,
}

impl Requires for Head {}

/// Removes an object; removing one that is not there is no error.
#[derive(Clone, Debug)]
pub struct Remove {
    /// Key.
    pub key: String,
}

impl Requires for Remove {}

/// Lists keys that begin with a prefix, sorted.
#[derive(Clone, Debug)]
pub struct List {
    /// Prefix.
    pub prefix: String,
}

impl Requires for List {}

/// Asks whether the store answers.
#[derive(Clone, Debug, Default)]
pub struct Check;

impl Requires for Check {}
