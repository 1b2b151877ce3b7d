//! PostgreSQL text to catalog, filters and policies, and the query planner that the SQL providers share.
