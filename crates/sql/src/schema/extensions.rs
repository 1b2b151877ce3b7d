//! Extensions that migrations create, and what becomes of them where they can't be.

use super::own::{self, Own};

/// Extensions of PostgreSQL's own distribution whose creation is passed over by engines that are not
/// PostgreSQL: what they bring is named where it is used.
const DISTRIBUTED: &[&str] = &[
    "btree_gin",
    "btree_gist",
    "citext",
    "fuzzystrmatch",
    "intarray",
    "moddatetime",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "plpgsql",
    "unaccent",
    "uuid-ossp",
];

/// Extensions that Supabase's platform brings. Dumps of its projects create them whether they use them or
/// not, and few other servers have them.
const OF_PLATFORM: &[&str] = &[
    "http",
    "hypopg",
    "index_advisor",
    "pg_cron",
    "pg_graphql",
    "pg_jsonschema",
    "pg_net",
    "pg_stat_monitor",
    "pgaudit",
    "pgjwt",
    "pgsodium",
    "pgtap",
    "plpgsql_check",
    "supabase_vault",
    "wrappers",
];

/// The extension that a statement creates.
pub fn created_extension(statement: &str) -> Option<String> {
    let mut words = statement.split_ascii_whitespace();
    let begins =
        ["create", "extension"].iter().all(|word| words.next().is_some_and(|w| w.eq_ignore_ascii_case(word)));
    if !begins {
        return None;
    }
    match own::read(statement)?.ok()? {
        Own::Extension(name) => Some(name),
        _ => None,
    }
}

/// Whether an extension is one of Supabase's platform, so that a migration that creates it says nothing of
/// whether it is needed.
pub fn is_of_platform(extension: &str) -> bool {
    OF_PLATFORM.contains(&extension)
}

/// Why an extension can't be created on an engine that is not PostgreSQL, if it can't be passed over.
pub fn foreign_extension(extension: &str) -> Option<String> {
    let passed_over = DISTRIBUTED.contains(&extension) || is_of_platform(extension);
    (!passed_over).then(|| format!("extension {extension} lives on PostgreSQL only"))
}
