//! Which backend reads fall back to while the one that serves does not answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use truststream_switch::{Mirrors, Options, Pair};

use crate::Config;

/// Says where reads of a backend that does not answer go.
pub trait Fallback: Send + Sync {
    /// The backend that reads of `owner` may be sent to at this moment.
    fn of(&self, owner: &str) -> Option<String>;
}

/// Reads go to the mirror, while it follows and was compared with what it follows.
pub(crate) struct ToMirror {
    mirrors: Arc<Mirrors>,
    /// Backends whose mirrors may be read.
    allowed: BTreeSet<String>,
}

impl ToMirror {
    pub(crate) fn new(mirrors: Arc<Mirrors>, config: &Config) -> Arc<Self> {
        let may = |name: &&String| config.mirror_of(name).is_some_and(|mirror| mirror.reads);
        Arc::new(ToMirror { mirrors, allowed: config.file.backend.keys().filter(may).cloned().collect() })
    }
}

impl Fallback for ToMirror {
    fn of(&self, owner: &str) -> Option<String> {
        if !self.allowed.contains(owner) {
            return None;
        }
        let status = self.mirrors.status()?;
        (status.from == owner && status.is_fit()).then_some(status.to)
    }
}

/// The mirrors that are configured.
pub(crate) fn pairs(config: &Config) -> Vec<Pair> {
    let backends = config.file.backend.keys();
    let pair = |name: &String| {
        let to = config.mirror_of(name)?.to.get_ref().clone();
        Some(Pair { from: name.clone(), to })
    };
    backends.filter_map(pair).collect()
}

/// How mirrors are copied.
pub(crate) fn options(config: &Config) -> Options {
    Options { chunk: config.file.switch.chunk, ..Options::default() }
}
