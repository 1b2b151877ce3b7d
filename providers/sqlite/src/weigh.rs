//! What is emulated here, and what it costs.

use truststream_kernel::Type;
use truststream_services::database::{Cost, Weigh};
use truststream_sql::sqlite::foreign_type;

/// What of a catalog is emulated, with the features that are.
pub(crate) fn weigh(op: &Weigh) -> Vec<Cost> {
    let mut costs = FEATURES.iter().map(|(of, words)| Cost::new(*of, *words)).collect::<Vec<_>>();
    let columns = op.catalog.tables.values().flat_map(|table| &table.columns);
    for column in columns {
        let of = Cost::of_type(&column.ty);
        // What can't be held is named among the problems.
        if costs.iter().any(|cost| cost.of == of) || foreign_type(&op.catalog, &column.ty).is_some() {
            continue;
        }
        if matches!(column.ty, Type::Float4 | Type::Float8) {
            costs.push(Cost::partial(&column.ty, "NaN is refused: SQLite takes it for null"));
        }
        costs.extend(cost(&column.ty).map(|words| Cost::new(of, words)));
    }
    costs
}

const FEATURES: &[(&str, &str)] = &[
    (
        "policies",
        "planned into every statement from the catalog: their conditions are part of each read and write",
    ),
    (
        "functions",
        "the body is translated in place of the call; loops of plpgsql run in process, called by name only",
    ),
    ("raw_queries", "translated from PostgreSQL's SQL; what can't be is refused"),
    ("views", "what they select is translated into each query that names them"),
    ("triggers", "translated into the writing statement or into triggers of SQLite"),
    ("types", "kept in the catalog and checked in process when a row is written"),
    ("publications", "not kept: realtime follows every table, and policies decide who hears of it"),
    (
        "full_text",
        "documents are matched in process; a GIN index on a document is kept as an FTS5 table of its stems, \
         which names the rows to look at, else each row is",
    ),
    ("regex", "matched in process, row by row"),
    ("ranges", "kept as text and compared in process, without an index"),
];

fn cost(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Numeric(_) => Some("kept as text with every digit; compared and summed in process"),
        Type::Array(_) => Some("kept as JSON text; containment is computed in process, without an index"),
        Type::Json | Type::Jsonb => Some("kept as text and parsed for each operator, without an index"),
        Type::Uuid | Type::Date | Type::Time => {
            Some("kept as text of one form, which sorts as the value does")
        }
        Type::Interval => Some("kept as text and compared in process"),
        Type::Timestamptz | Type::Timestamp => Some("kept as whole microseconds; shown as text when read"),
        Type::Enum(_) => Some("kept as text; labels are checked and ordered in process"),
        Type::Other(_) => Some("kept as text; its operators are computed in process"),
        _ => None,
    }
}
