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
    let search = "every value of the column that the caller may read is looked at in process, and rows are asked for by those that match";
    let patterns =
        "plain ones by the engine, others like a search: no pattern takes longer than the texts are long";
    let ranges = "documents of their bounds, compared by the engine without an index";
    let triggers =
        "run in process, row by row, each expression that is not known here computed by the server";
    vec![
        Cost::new("triggers", triggers),
        Cost::new("full_text", search),
        Cost::new("regex", patterns),
        Cost::new("ranges", ranges),
        Cost::new("policies", words),
        Cost::new("functions", functions),
        Cost::new("views", views),
        Cost::new("publications", publications),
    ]
}
