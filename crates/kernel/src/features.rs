//! What providers can do, as sets of features.

use std::fmt;
use std::ops::BitOr;

/// A feature of one service; each service has its own enum of at most 64.
pub trait Feature: Copy + 'static {
    /// All features, in the order of their numbers.
    const ALL: &'static [Self];

    /// Position in the set, 0 to 63.
    fn number(self) -> u8;

    /// The name documents and errors use, such as `full_text_search`.
    fn name(self) -> &'static str;
}

/// A set of features of one service.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet(u64);

impl FeatureSet {
    /// No feature.
    pub const EMPTY: FeatureSet = FeatureSet(0);

    /// The set of the given features.
    pub fn of<F: Feature>(features: &[F]) -> Self {
        features.iter().fold(Self::EMPTY, |set, feature| set.with(*feature))
    }

    /// All features of a service.
    pub fn all<F: Feature>() -> Self {
        Self::of(F::ALL)
    }

    /// This set and one more feature.
    #[must_use]
    pub fn with<F: Feature>(self, feature: F) -> Self {
        FeatureSet(self.0 | 1 << feature.number())
    }

    /// This set without one feature.
    #[must_use]
    pub fn without<F: Feature>(self, feature: F) -> Self {
        FeatureSet(self.0 & !(1 << feature.number()))
    }

    /// Whether `feature` is in the set.
    pub fn has<F: Feature>(self, feature: F) -> bool {
        self.0 & 1 << feature.number() != 0
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn minus(self, other: FeatureSet) -> Self {
        FeatureSet(self.0 & !other.0)
    }

    /// Whether the set has no feature.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names of the members, given the names of a service's features by number.
    pub fn names(self, all: &[&'static str]) -> Vec<&'static str> {
        all.iter()
            .enumerate()
            .filter(|(number, _)| self.0 & 1 << number != 0)
            .map(|(_, name)| *name)
            .collect()
    }
}

impl BitOr for FeatureSet {
    type Output = FeatureSet;

    fn bitor(self, other: FeatureSet) -> FeatureSet {
        FeatureSet(self.0 | other.0)
    }
}

impl fmt::Debug for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureSet({:#b})", self.0)
    }
}

/// How a provider supports a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The engine does it.
    Native,
    /// TrustStream does it in process on top of the engine.
    Emulated,
    /// It is refused before any I/O.
    Unsupported,
}

/// What a provider declares it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Done by the engine itself.
    pub native: FeatureSet,
    /// Done in process on top of the engine.
    pub emulated: FeatureSet,
}

impl Features {
    /// Everything that is answered one way or the other.
    pub fn supported(self) -> FeatureSet {
        self.native | self.emulated
    }

    /// How one feature is supported.
    pub fn support<F: Feature>(self, feature: F) -> Support {
        if self.native.has(feature) {
            Support::Native
        } else if self.emulated.has(feature) {
            Support::Emulated
        } else {
            Support::Unsupported
        }
    }
}

/// Declares the features of one service: an enum and its [`Feature`] implementation.
#[macro_export]
macro_rules! features {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Names of all features, by number.
            pub const NAMES: &'static [&'static str] = &[$($text),+];
        }

        impl $crate::Feature for $name {
            const ALL: &'static [Self] = &[$($name::$variant),+];

            fn number(self) -> u8 {
                self as u8
            }

            fn name(self) -> &'static str {
                Self::NAMES[usize::from(self.number())]
            }
        }
    };
}
