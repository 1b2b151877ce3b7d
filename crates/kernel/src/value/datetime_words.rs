//! Words in dates and times: months, days, zones, moments.

/// Words that mean a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Epoch,
    Infinity,
    NegativeInfinity,
    AllBalls,
}

/// Seconds east of UTC of a zone's lower-case abbreviation, as in PostgreSQL's default set.
pub(super) fn named_zone(name: &str) -> Option<i64> {
    let hours = match name {
        "z" | "zulu" | "utc" | "gmt" | "ut" | "uct" | "wet" => 0,
        "bst" | "cet" | "met" | "west" => 1,
        "cest" | "eet" | "sast" | "mest" => 2,
        "eest" | "msk" => 3,
        "msd" => 4,
        "awst" => 8,
        "jst" | "kst" => 9,
        "aest" => 10,
        "aedt" => 11,
        "nzst" => 12,
        "nzdt" => 13,
        "adt" => -3,
        "ast" | "edt" => -4,
        "est" | "cdt" => -5,
        "cst" | "mdt" => -6,
        "mst" | "pdt" => -7,
        "pst" | "akdt" => -8,
        "akst" => -9,
        "hst" => -10,
        _ => return None,
    };
    Some(hours * 3_600)
}

/// What a lower-case word means as a point in time.
pub(super) fn moment(word: &str) -> Option<Moment> {
    Some(match word {
        "now" => Moment::Now,
        "today" => Moment::Today,
        "tomorrow" => Moment::Tomorrow,
        "yesterday" => Moment::Yesterday,
        "epoch" => Moment::Epoch,
        "infinity" | "+infinity" => Moment::Infinity,
        "-infinity" => Moment::NegativeInfinity,
        "allballs" => Moment::AllBalls,
        _ => return None,
    })
}

/// The number of a month's name or its first three letters.
pub(super) fn month(word: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let at = NAMES
        .iter()
        .position(|name| *name == word || name[..3] == *word || (word == "sept" && *name == "september"))?;
    Some(at as u32 + 1)
}

/// Whether a lower-case word is a day of the week, which says nothing new.
pub(super) fn is_weekday(word: &str) -> bool {
    const NAMES: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    NAMES.iter().any(|name| *name == word || name[..3] == *word)
        || ["tues", "wednes", "weds", "thur", "thurs"].contains(&word)
}
