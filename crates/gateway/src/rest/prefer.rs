//! The `Prefer` header (RFC 7240).

use axum::http::HeaderMap;
use truststream_kernel::value::Zone;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Count, Returning, Transaction};

use crate::TxEnd;

/// What a request prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    pub(super) returning: Option<Returning>,
    pub(super) count: Option<Count>,
    /// `resolution`: merge (true) or ignore duplicates.
    pub(super) merge: Option<bool>,
    /// `missing=default`
    pub(super) missing_default: Option<bool>,
    /// `tx=rollback`
    pub(super) rollback: Option<bool>,
    pub(super) time_zone: Option<String>,
    pub(super) max_affected: Option<u64>,
    pub(super) strict: Option<bool>,
    /// `deleted=include`: rows deleted softly take part.
    pub(super) include_deleted: Option<bool>,
}

impl Preferences {
    /// Reads all `Prefer` headers; the first of each kind counts.
    ///
    /// # Errors
    /// PGRST122 for unknown preferences with `handling=strict`.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self> {
        let mut found = Preferences::default();
        let mut unknown = Vec::new();
        for value in headers.get_all("prefer") {
            for preference in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if !preference.is_empty() && !found.take(preference) {
                    unknown.push(preference.to_owned());
                }
            }
        }
        if found.strict == Some(true) && !unknown.is_empty() {
            let details = format!("Invalid preferences: {}", unknown.join(", "));
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "PGRST122",
                "Invalid preferences given with handling=strict",
            )
            .with_details(details));
        }
        Ok(found)
    }

    fn take(&mut self, preference: &str) -> bool {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match (name.trim(), value.trim()) {
            ("return", "representation") => set(&mut self.returning, Returning::Representation),
            ("return", "headers-only") => set(&mut self.returning, Returning::HeadersOnly),
            ("return", "minimal") => set(&mut self.returning, Returning::Minimal),
            ("count", "exact") => set(&mut self.count, Count::Exact),
            ("count", "planned") => set(&mut self.count, Count::Planned),
            ("count", "estimated") => set(&mut self.count, Count::Estimated),
            ("resolution", "merge-duplicates") => set(&mut self.merge, true),
            ("resolution", "ignore-duplicates") => set(&mut self.merge, false),
            ("missing", "default") => set(&mut self.missing_default, true),
            ("missing", "null") => set(&mut self.missing_default, false),
            ("tx", "commit") => set(&mut self.rollback, false),
            ("tx", "rollback") => set(&mut self.rollback, true),
            ("handling", "strict") => set(&mut self.strict, true),
            ("handling", "lenient") => set(&mut self.strict, false),
            ("timezone", text) => match Zone::named(text) {
                Some(zone) if zone.name() == text => set(&mut self.time_zone, text.to_owned()),
                _ => return false,
            },
            ("max-affected", number) => match number.parse() {
                Ok(number) => set(&mut self.max_affected, number),
                Err(_) => return false,
            },
            ("deleted", "include") => set(&mut self.include_deleted, true),
            ("deleted", "exclude") => set(&mut self.include_deleted, false),
            // An obsolete way to ask for one object; harmless.
            ("params", "single-object" | "multiple-objects") => {}
            _ => return false,
        }
        true
    }

    /// How the request's transaction is run.
    pub(super) fn transaction(&self, tx_end: TxEnd) -> Transaction {
        Transaction {
            rollback: tx_end.rolls_back(self.rollback).0,
            time_zone: self.time_zone.clone(),
            // Counted only for those who asked for strictness.
            max_affected: self.max_affected.filter(|_| self.strict == Some(true)),
            include_deleted: self.include_deleted == Some(true),
        }
    }

    /// The `Preference-Applied` of a reply to which the given kinds of preferences apply.
    pub(super) fn applied(&self, kinds: &[Kind], tx_end: TxEnd) -> Option<String> {
        let mut applied = Vec::new();
        for kind in [
            Kind::Resolution,
            Kind::Missing,
            Kind::Return,
            Kind::Count,
            Kind::Tx,
            Kind::Handling,
            Kind::TimeZone,
            Kind::MaxAffected,
            Kind::Deleted,
        ] {
            if kinds.contains(&kind)
                && let Some(text) = self.shown(kind, tx_end)
            {
                applied.push(text);
            }
        }
        (!applied.is_empty()).then(|| applied.join(", "))
    }

    fn shown(&self, kind: Kind, tx_end: TxEnd) -> Option<String> {
        let text = |name: &str, value: &str| Some(format!("{name}={value}"));
        match kind {
            Kind::Resolution => {
                text("resolution", if self.merge? { "merge-duplicates" } else { "ignore-duplicates" })
            }
            Kind::Missing => text("missing", if self.missing_default? { "default" } else { "null" }),
            Kind::Return => text(
                "return",
                match self.returning? {
                    Returning::Representation => "representation",
                    Returning::HeadersOnly => "headers-only",
                    Returning::Minimal => "minimal",
                },
            ),
            Kind::Count => text(
                "count",
                match self.count? {
                    Count::Exact => "exact",
                    Count::Planned => "planned",
                    Count::Estimated => "estimated",
                },
            ),
            Kind::Tx => match tx_end.rolls_back(self.rollback) {
                (rollback, true) => text("tx", if rollback { "rollback" } else { "commit" }),
                _ => None,
            },
            Kind::Handling => text("handling", if self.strict? { "strict" } else { "lenient" }),
            Kind::TimeZone => text("timezone", self.time_zone.as_deref()?),
            Kind::MaxAffected => {
                self.strict.filter(|strict| *strict)?;
                text("max-affected", &self.max_affected?.to_string())
            }
            Kind::Deleted => text("deleted", if self.include_deleted? { "include" } else { "exclude" }),
        }
    }
}

/// Kinds of preferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Resolution,
    Missing,
    Return,
    Count,
    Tx,
    Handling,
    TimeZone,
    MaxAffected,
    Deleted,
}

fn set<T>(place: &mut Option<T>, value: T) {
    place.get_or_insert(value);
}
