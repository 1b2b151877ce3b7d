//! What a database provider may say it can do.

truststream_kernel::features! {
    /// Features of the Database service.
    DatabaseFeature {
        /// Related resources inside a `select`.
        Embeds = "embeds",
        /// `count`, `sum`, `avg`, `min`, `max` with grouping.
        Aggregates = "aggregates",
        /// `fts`, `plfts`, `phfts`, `wfts`.
        FullText = "full_text",
        /// `match`, `imatch`.
        Regex = "regex",
        /// Range operators.
        Ranges = "ranges",
        /// Functions called by name.
        Functions = "functions",
        /// Explained queries.
        Explain = "explain",
        /// Plans of writes and of function calls, which are not done then.
        ExplainWrites = "explain_writes",
        /// GeoJSON replies.
        GeoJson = "geojson",
        /// Media types answered by handlers in the database.
        MediaHandlers = "media_handlers",
        /// An ordered feed of committed changes.
        ChangeFeed = "change_feed",
        /// Tables closed to whoever writes to the database directly.
        Fences = "fences",
        /// Row-level policies.
        Policies = "policies",
        /// Policies and functions can read the HTTP request (`request.headers` and so on).
        RequestFacts = "request_facts",
        /// Several requests in one transaction that stays open between them.
        Transactions = "transactions",
        /// Reads of one moment beside a transaction that writes: reading transactions, and reads that
        /// an open transaction does not keep waiting.
        Snapshots = "snapshots",
        /// Queries in the database's own SQL.
        RawQueries = "raw_queries",
        /// Functions that catch errors, run texts as SQL, write within `with`, and return rows of
        /// composite types.
        Handlers = "handlers",
        /// Columns of composite types.
        CompositeColumns = "composite_columns",
        /// Domains whose values are shown and read through casts.
        Representations = "representations",
        /// Tables divided into partitions.
        Partitions = "partitions",
    }
}
