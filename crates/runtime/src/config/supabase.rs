//! What is understood of a Supabase project's own `supabase/config.toml`.

use std::path::Path;

use toml::{Table, Value};
use truststream_kernel::Result;

use super::source::Sources;

/// From the path of a setting in `supabase/config.toml` to the path of ours.
const KNOWN: &[(&str, &str)] = &[
    ("api.port", "gateway.port"),
    ("api.schemas", "rest.schemas"),
    ("api.extra_search_path", "rest.extra_search_path"),
    ("api.max_rows", "rest.max_rows"),
    ("auth.site_url", "auth.site_url"),
    ("auth.jwt_expiry", "auth.jwt_expiry"),
    ("auth.enable_signup", "auth.enable_signup"),
    ("auth.enable_anonymous_sign_ins", "auth.enable_anonymous_sign_ins"),
    ("auth.minimum_password_length", "auth.minimum_password_length"),
    ("auth.enable_refresh_token_rotation", "auth.enable_refresh_token_rotation"),
    ("auth.refresh_token_reuse_interval", "auth.refresh_token_reuse_interval"),
    ("auth.rate_limit.sign_in_sign_ups", "auth.rate_limit.sign_in_sign_ups"),
    ("auth.rate_limit.token_refresh", "auth.rate_limit.token_refresh"),
    ("auth.rate_limit.anonymous_users", "auth.rate_limit.anonymous_users"),
    ("auth.rate_limit.token_verifications", "auth.rate_limit.token_verifications"),
    ("auth.mfa.max_enrolled_factors", "auth.mfa.max_enrolled_factors"),
    ("auth.mfa.totp.enroll_enabled", "auth.mfa.totp.enroll_enabled"),
    ("auth.mfa.totp.verify_enabled", "auth.mfa.totp.verify_enabled"),
    ("auth.email.enable_signup", "auth.email.enable_signup"),
    ("auth.email.enable_confirmations", "auth.email.enable_confirmations"),
    ("storage.file_size_limit", "storage.file_size_limit"),
];

/// Lays what is understood of the file, if it is there, under everything else.
pub fn add(sources: &mut Sources, path: &Path) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    let mut whole = Sources::default();
    whole.add(&path.display().to_string(), text)?;
    let theirs: Table = whole.read(&[])?;
    let mut ours = Table::new();
    for (from, to) in KNOWN {
        if let Some(value) = find(&theirs, from) {
            place(&mut ours, to, value.clone());
        }
    }
    sources.add(&path.display().to_string(), ours.to_string())
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => find(table.get(first)?.as_table()?, rest),
    }
}

fn place(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let entry = table.entry(first.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = entry {
                place(inner, rest, value);
            }
        }
    }
}
