//! What settings tell of PostgreSQL itself, where another engine stands for it.

use truststream_kernel::value::zone;

/// The version whose behaviour the engines follow.
const VERSION: &str = "15.0";
const VERSION_NUMBER: &str = "150000";

/// A setting of the server by its name, in letters of either case; `None` for those that no function can depend
/// on here. `owner` says whether who asks is the owner of all.
pub fn setting(name: &str, owner: bool) -> Option<String> {
    let value = match name.to_ascii_lowercase().as_str() {
        "is_superuser" => {
            if owner {
                "on"
            } else {
                "off"
            }
        }
        "server_version" => VERSION,
        "server_version_num" => VERSION_NUMBER,
        "server_encoding" | "client_encoding" => "UTF8",
        "standard_conforming_strings" | "integer_datetimes" => "on",
        "datestyle" => "ISO, MDY",
        "intervalstyle" => "postgres",
        "timezone" => return Some(zone::session().map_or("UTC", |zone| zone.name()).to_owned()),
        _ => return None,
    };
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::setting;

    #[test]
    fn names_have_letters_of_either_case() {
        assert_eq!(setting("TimeZone", false).as_deref(), Some("UTC"));
        assert_eq!(setting("IS_SUPERUSER", false).as_deref(), Some("off"));
        assert_eq!(setting("app.is_superuser", false), None);
    }
}
