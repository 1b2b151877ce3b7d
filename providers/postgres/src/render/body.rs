//! The representation of rows, made by the engine.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Format, Media, TableName};
use truststream_sql::quote::qualified;

use super::read::RETURNED;
use crate::schema::Schema;

/// What a function returns, as far as the reply's shape depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Rows of a table or a set of composites.
    #[default]
    Rows,
    /// One composite.
    Row,
    /// One scalar.
    Scalar,
    /// A set of scalars.
    Scalars,
}

/// How the reply's body is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// Nothing is wanted.
    None,
    Json,
    Object,
    Csv,
    GeoJson,
    /// By a function of the database; the rows are cast to the relation it takes, if it takes one.
    Handler {
        function: TableName,
        relation: Option<TableName>,
        media_type: String,
    },
}

/// Chooses the representation; handlers of the database come before the built-in ones.
///
/// # Errors
/// PGRST107 if nothing makes the media type.
pub(super) fn negotiate(
    schema: &Schema,
    relation: &TableName,
    format: &Format,
    whole_rows: bool,
) -> Result<Representation> {
    let (wanted, built_in) = match &format.media {
        Media::Object => return Ok(Representation::Object),
        Media::Plan(_) => return Ok(Representation::Json),
        Media::Json if format.strip_nulls => return Ok(Representation::Json),
        Media::Json => ("application/json", Some(Representation::Json)),
        Media::Csv => ("text/csv", Some(Representation::Csv)),
        Media::GeoJson => ("application/geo+json", Some(Representation::GeoJson)),
        Media::Custom(wanted) => (wanted.as_str(), None),
    };
    let find = |relation: Option<&TableName>, media_type: &str| {
        let handler = schema.handlers.get(&(relation.cloned(), media_type.to_owned()))?;
        Some(Representation::Handler {
            function: handler.function.clone(),
            relation: relation.cloned(),
            media_type: if media_type == "*/*" { handler.media_type.clone() } else { wanted.to_owned() },
        })
    };
    whole_rows
        .then(|| find(Some(relation), "*/*").or_else(|| find(Some(relation), wanted)))
        .flatten()
        .or_else(|| find(None, wanted))
        .or(built_in)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "PGRST107",
                format!("None of these media types are available: {wanted}"),
            )
        })
}

impl Representation {
    /// The expression of the body over rows called `_postgrest_t`, which come from `shown` as they are.
    pub(super) fn expression(&self, shape: Shape, strip_nulls: bool, shown: &str) -> String {
        let strip = |json: &str| {
            if strip_nulls { format!("json_strip_nulls({json})") } else { json.to_owned() }
        };
        let scalar = matches!(shape, Shape::Scalar | Shape::Scalars);
        let rows = if scalar { "json_agg(_postgrest_t.pgrst_scalar)" } else { "json_agg(_postgrest_t)" };
        match self {
            Representation::None => "''".to_owned(),
            Representation::Json => match shape {
                Shape::Row | Shape::Scalar => {
                    format!("coalesce({}, 'null')::text", strip(&format!("{rows}->0")))
                }
                Shape::Rows | Shape::Scalars => format!("coalesce({}, '[]')::text", strip(rows)),
            },
            Representation::Object => format!("coalesce({}, 'null')::text", strip(&format!("{rows}->0"))),
            Representation::Csv => format!(
                "(SELECT coalesce(string_agg(a.k, ','), '') FROM (SELECT json_object_keys(r)::text AS k FROM \
                 (SELECT row_to_json(hh) AS r FROM {shown} AS hh LIMIT 1) s) a) || E'\\n' || \
                 coalesce(string_agg(substring(_postgrest_t::text, 2, length(_postgrest_t::text) - 2), E'\\n'), '')"
            ),
            Representation::GeoJson => "json_build_object('type', 'FeatureCollection', 'features', \
                 coalesce(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))::text"
                .to_owned(),
            Representation::Handler { function, .. } if shape == Shape::Scalar => {
                format!("(SELECT {}(one.pgrst_scalar) FROM {RETURNED} AS one LIMIT 1)", qualified(function))
            }
            Representation::Handler { function, relation: Some(relation), .. } => {
                format!("{}(_postgrest_t::{})", qualified(function), qualified(relation))
            }
            Representation::Handler { function, relation: None, .. } => {
                format!("{}(_postgrest_t)", qualified(function))
            }
        }
    }

    /// Whether a function of the database makes it.
    pub(super) fn is_handler(&self) -> bool {
        matches!(self, Representation::Handler { .. })
    }

    /// The media type that a handler decides.
    pub(super) fn media_type(&self) -> Option<&str> {
        match self {
            Representation::Handler { media_type, .. } => Some(media_type),
            _ => None,
        }
    }
}
