//! Searching all moments of a world, and what a search says of it.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// Set for the large worlds, which take minutes.
pub const LARGE: &str = "TRUSTSTREAM_MODEL";

/// What a finished search found.
pub struct Found {
    /// Invariants that were broken, each with the number of steps to it.
    pub broken: Vec<(&'static str, usize)>,
    /// What should have been possible and never came.
    pub unreached: Vec<&'static str>,
    /// Different moments looked at.
    pub moments: usize,
}

/// Searches all moments of a world, or until an invariant is broken: a property whose name begins as
/// those of docs/switching.md do.
pub fn search<M>(world: M) -> Found
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    M::Action: Clone + Debug + Eq + Send + Sync + 'static,
{
    let names: Vec<_> = world.properties().iter().map(|property| property.name).collect();
    let invariants = names.iter().copied().filter(|name| is_invariant(name)).collect();
    let checker =
        world.checker().threads(2).finish_when(HasDiscoveries::AnyOf(invariants)).spawn_bfs().join();
    let found = checker.discoveries();
    let broken = found.iter().filter(|(name, _)| is_invariant(name));
    let broken = broken.map(|(name, path)| (*name, path.clone().into_actions().len())).collect();
    let unreached = names.into_iter().filter(|name| !is_invariant(name) && !found.contains_key(name));
    Found { broken, unreached: unreached.collect(), moments: checker.unique_state_count() }
}

fn is_invariant(name: &str) -> bool {
    name.strip_prefix('I').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

impl Found {
    /// Nothing was broken, and all that should be possible came.
    #[track_caller]
    pub fn holds(&self) {
        println!("{} moments", self.moments);
        assert_eq!((&self.broken[..], &self.unreached[..]), (&[][..], &[][..]));
    }

    /// The search must find where a shortcut leads, or it would not find it in the protocol either.
    #[track_caller]
    pub fn leads_astray(&self) {
        println!("{:?} among {} moments", self.broken, self.moments);
        assert!(!self.broken.is_empty(), "not found among {} moments", self.moments);
    }
}

/// Whether nothing is there twice.
pub fn is_once(mut ids: Vec<u8>) -> bool {
    ids.sort_unstable();
    ids.windows(2).all(|pair| pair[0] != pair[1])
}

/// Whether what two logs have in common is in one order.
pub fn agree(one: &[u8], other: &[u8]) -> bool {
    let in_one = one.iter().filter(|id| other.contains(id));
    in_one.eq(other.iter().filter(|id| one.contains(id)))
}

/// A test of each shortcut: in the world where it shows, it is found. That world knows whether it is taken.
macro_rules! shortcuts {
    ($($name:ident: $shortcut:ident in $world:expr;)*) => {
        impl World {
            pub fn is(&self, shortcut: Shortcut) -> bool {
                self.shortcut == Some(shortcut)
            }
        }
        $(#[test] fn $name() {
            search(World { shortcut: Some(Shortcut::$shortcut), ..$world }).leads_astray();
        })*
    };
}
pub(crate) use shortcuts;
