//! Schemas that a platform keeps itself.

/// Of what is in them, projects make policies and triggers only. Those that begin so are the platform's too:
/// of TrustStream, and of PostgreSQL and its extensions. Names: `InternalSchemas` of the supabase CLI.
const MANAGED: &[&str] = &[
    "_analytics",
    "_realtime",
    "_supavisor",
    "auth",
    "cron",
    "dbdev",
    "extensions",
    "graphql",
    "graphql_public",
    "information_schema",
    "net",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "realtime",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "tiger",
    "tiger_data",
    "topology",
    "vault",
];
const BEGIN_SO: &[&str] = &["pg_", "truststream", "timescaledb_", "_timescaledb_"];

/// Whether a schema is a platform's own.
pub fn is_managed(schema: &str) -> bool {
    MANAGED.contains(&schema) || BEGIN_SO.iter().any(|start| schema.starts_with(start))
}
