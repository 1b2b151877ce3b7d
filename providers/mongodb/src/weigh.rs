//! What is emulated here, and what it costs.

use truststream_services::database::Cost;

/// The features that are emulated.
pub(crate) fn weigh() -> Vec<Cost> {
    let words =
        "planned into every pipeline from the catalog: conditions through other tables become lookups";
    let functions =
        "in \"language sql\": the body is translated in place of the call, or run statement by statement";
    let views = "what they select is planned into each pipeline that names them";
    let publications = "not kept: realtime follows every table, and policies decide who hears of it";
    vec![
        Cost::new("policies", words),
        Cost::new("functions", functions),
        Cost::new("views", views),
        Cost::new("publications", publications),
    ]
}
