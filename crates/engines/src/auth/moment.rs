//! Times as the auth tables and tokens have them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use truststream_kernel::{Type, Value};

/// A moment in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match Value::parse(&Type::Timestamptz, text) {
            Ok(Value::Timestamptz(micros)) => Some(Moment(micros)),
            _ => None,
        }
    }

    pub(super) fn plus(self, time: Duration) -> Self {
        Moment(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    pub(super) fn minus(self, time: Duration) -> Self {
        Moment(self.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since 1970.
    pub(super) fn seconds(self) -> u64 {
        u64::try_from(self.0.div_euclid(1_000_000)).unwrap_or_default()
    }

    /// RFC 3339, in UTC.
    pub(super) fn text(self) -> String {
        let json = Value::Timestamptz(self.0).to_json();
        zulu(json.trim_matches('"'))
    }
}

/// The text a database gives for a time, with `Z` for UTC as Supabase Auth writes it.
pub(super) fn zulu(text: &str) -> String {
    text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |time| format!("{time}Z"))
}

/// Times such as `24h`, `1h30m`, `300ms`, `1.5h`, as Go reads them.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        let moment = Moment(1_704_067_200_120_000);
        assert_eq!(moment.text(), "2024-01-01T00:00:00.12Z");
        assert_eq!(Moment::parse(&moment.text()), Some(moment));
        assert_eq!(Moment::parse("2024-01-01T00:00:00.12+00:00"), Some(moment));
        assert_eq!(moment.seconds(), 1_704_067_200);
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        for wrong in ["", "24", "h", "1d", "-1h", "1h 1m", "1e9999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
