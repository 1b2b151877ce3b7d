//! Which representation a request accepts.

use std::borrow::Cow;

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Format, Media, PlanFormat};

const OBJECT: &str = "application/vnd.pgrst.object+json";
const ARRAY: &str = "application/vnd.pgrst.array+json";
const PLAN: &str = "application/vnd.pgrst.plan";
/// What can be asked of a plan, in the order in which it is told.
const PLAN_OPTIONS: &[&str] = &["analyze", "verbose", "settings", "buffers", "wal"];

/// The representation a request wants, and the `Content-Type` of its reply.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) format: Format,
    pub(super) content_type: Cow<'static, str>,
}

/// Chooses from an `Accept` header, in the order of its weights. Media types that only a handler in
/// the database can make come with what is wanted if there is no such handler; there is at least one.
///
/// # Errors
/// PGRST107 when nothing in it can be answered.
pub(super) fn negotiate(header: Option<&str>, plan: bool) -> Result<Vec<Accepted>> {
    let header = header.map_or("*/*", str::trim);
    if matches!(header, "" | "*/*" | "application/json") {
        return Ok(vec![json()]);
    }
    let mut ranges: Vec<(f32, &str)> = split_outside_quotes(header, ',')
        .into_iter()
        .map(str::trim)
        .map(|range| (weight(range), range))
        .collect();
    // A stable sort keeps the order of ranges of the same weight.
    ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut candidates = Vec::new();
    for accepted in ranges.iter().filter_map(|(_, range)| one(range, plan)) {
        let needs_handler = matches!(accepted.format.media, Media::Custom(_));
        candidates.push(accepted);
        if !needs_handler {
            break;
        }
    }
    if candidates.is_empty() { Err(unavailable(header)) } else { Ok(candidates) }
}

/// PGRST107 for an `Accept` header of which nothing can be answered.
pub(super) fn unavailable(header: &str) -> Error {
    let message = format!("None of these media types are available: {header}");
    Error::new(ErrorKind::InvalidInput, "PGRST107", message)
}

fn json() -> Accepted {
    accepted(Media::Json, false, "application/json; charset=utf-8")
}

fn accepted(media: Media, strip_nulls: bool, content_type: impl Into<Cow<'static, str>>) -> Accepted {
    Accepted { format: Format { media, strip_nulls, spooled: false }, content_type: content_type.into() }
}

fn weight(range: &str) -> f32 {
    let quality = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0)
}

fn one(range: &str, plan: bool) -> Option<Accepted> {
    let mut parts = split_outside_quotes(range, ';').into_iter().map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let strip = parameters.contains(&("nulls", "stripped"));
    Some(match essence.as_str() {
        "*/*" | "application/*" | "application/json" => json(),
        OBJECT | "application/vnd.pgrst.object" if strip => {
            accepted(Media::Object, true, format!("{OBJECT};nulls=stripped; charset=utf-8"))
        }
        OBJECT | "application/vnd.pgrst.object" => {
            accepted(Media::Object, false, format!("{OBJECT}; charset=utf-8"))
        }
        ARRAY | "application/vnd.pgrst.array" if strip => {
            accepted(Media::Json, true, format!("{ARRAY};nulls=stripped; charset=utf-8"))
        }
        ARRAY | "application/vnd.pgrst.array" => json(),
        "text/csv" => accepted(Media::Csv, false, "text/csv; charset=utf-8"),
        "application/geo+json" => accepted(Media::GeoJson, false, "application/geo+json; charset=utf-8"),
        essence if essence.starts_with(PLAN) => {
            if !plan {
                return None;
            }
            let json = essence.ends_with("+json");
            let option = |name: &str| {
                parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
            };
            // Clients send an empty list where they want none; what there is not is passed over.
            let wanted: Vec<&str> = option("options").unwrap_or_default().split('|').collect();
            let options = PLAN_OPTIONS.iter().filter(|option| wanted.contains(option));
            let options: Vec<String> = options.map(|option| (*option).to_owned()).collect();
            let shown = if json { "json" } else { "text" };
            let inner = match option("for").unwrap_or("application/json") {
                "application/vnd.pgrst.object" => OBJECT,
                inner => inner,
            };
            let told =
                if options.is_empty() { String::new() } else { format!("; options={}", options.join("|")) };
            let content_type = format!("{PLAN}+{shown}; for=\"{inner}\"{told}; charset=utf-8");
            accepted(Media::Plan(PlanFormat { json, options }), false, content_type)
        }
        "text/plain" | "application/octet-stream" | "text/xml" => {
            let charset = if essence == "application/octet-stream" { "" } else { "; charset=utf-8" };
            accepted(Media::Custom(essence.clone()), false, format!("{essence}{charset}"))
        }
        essence
            if essence.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty()) =>
        {
            accepted(Media::Custom(essence.to_owned()), false, essence.to_owned())
        }
        _ => return None,
    })
}

fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c == at && !quoted => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_known_range_wins() {
        let media = |header| negotiate(Some(header), false).unwrap().remove(0).format.media;
        assert_eq!(media("*/*"), Media::Json);
        assert_eq!(media("text/csv;q=0.5, application/json"), Media::Json);
        assert_eq!(media("application/vnd.pgrst.object+json"), Media::Object);
        assert_eq!(media("text/plain"), Media::Custom("text/plain".to_owned()));
        assert!(
            negotiate(Some("application/vnd.pgrst.object+json;nulls=stripped"), false).unwrap()[0]
                .format
                .strip_nulls
        );
        assert_eq!(negotiate(Some("undefined"), false).unwrap_err().code(), "PGRST107");
        assert_eq!(negotiate(Some("application/vnd.pgrst.plan+json"), false).unwrap_err().code(), "PGRST107");
        let plan = negotiate(
            Some("application/vnd.pgrst.plan+json; for=\"text/csv\"; options=analyze|buffers"),
            true,
        )
        .unwrap();
        let Media::Plan(plan) = &plan[0].format.media else { panic!() };
        assert_eq!((plan.json, plan.options.len()), (true, 2));
        let told = |accept: &str| negotiate(Some(accept), true).unwrap()[0].content_type.clone();
        assert_eq!(
            told(
                "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object\"; options=verbose|x|analyze"
            ),
            "application/vnd.pgrst.plan+json; for=\"application/vnd.pgrst.object+json\"; \
             options=analyze|verbose; charset=utf-8"
        );
        assert_eq!(
            told("application/vnd.pgrst.plan"),
            "application/vnd.pgrst.plan+text; for=\"application/json\"; charset=utf-8"
        );
        // As supabase-js asks without any option.
        let none = "application/vnd.pgrst.plan+text; for=\"application/json\"; options=;";
        let Media::Plan(plan) = &negotiate(Some(none), true).unwrap()[0].format.media else { panic!() };
        assert_eq!((plan.json, plan.options.len()), (false, 0));
    }

    #[test]
    fn what_needs_a_handler_has_what_stands_in_for_it() {
        let candidates = negotiate(Some("text/html,image/webp,*/*;q=0.8,text/csv;q=0.1"), false).unwrap();
        let media: Vec<_> = candidates.into_iter().map(|accepted| accepted.format.media).collect();
        let custom = |name: &str| Media::Custom(name.to_owned());
        assert_eq!(media, [custom("text/html"), custom("image/webp"), Media::Json]);
    }
}
