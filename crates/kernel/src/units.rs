//! Times and sizes as people write them in a configuration: `#[serde(with = "units::time")]`.

/// Times such as `250ms`, `2s`, `5m`, `24h`.
pub mod time {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    /// Reads a time.
    ///
    /// # Errors
    /// When the text is no number followed by `ms`, `s`, `m` or `h`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "invalid time `{text}`, expected a number with ms, s, m or h, such as `250ms`"
            ))
        })
    }

    /// The time a text means.
    pub fn parse(text: &str) -> Option<Duration> {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().ok()?;
        match unit.trim() {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
            "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
            _ => None,
        }
    }
}

/// The same where none may be given.
pub mod optional_time {
    use std::time::Duration;

    use serde::Deserializer;

    /// Reads a time.
    ///
    /// # Errors
    /// As [`time::deserialize`](super::time::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::time::deserialize(deserializer).map(Some)
    }
}

/// Sizes such as `50MiB`, `1MB`, `512KiB`, or a number of bytes.
pub mod bytes {
    use serde::{Deserialize, Deserializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }

    /// Reads a size in bytes.
    ///
    /// # Errors
    /// When the text is no number followed by a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Size::deserialize(deserializer)? {
            Size::Number(bytes) => Ok(bytes),
            Size::Text(text) => parse(&text).ok_or_else(|| {
                D::Error::custom(format!(
                    "invalid size `{text}`, expected bytes or a number with KiB, MiB or GiB"
                ))
            }),
        }
    }

    /// The number of bytes a text means.
    pub fn parse(text: &str) -> Option<u64> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "kib" => 1 << 10,
            "mb" => 1_000_000,
            "mib" => 1 << 20,
            "gb" => 1_000_000_000,
            "gib" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        assert_eq!(time::parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(time::parse("2 h"), Some(Duration::from_secs(7_200)));
        assert_eq!(bytes::parse("50MiB"), Some(50 << 20));
        assert_eq!(bytes::parse("1kb"), Some(1_000));
        for wrong in ["", "5", "s", "-1s", "5d", "99999999999999999999s"] {
            assert_eq!(time::parse(wrong), None, "{wrong}");
        }
    }
}
