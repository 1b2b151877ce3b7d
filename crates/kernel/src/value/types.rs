//! Names of types: from PostgreSQL's many spellings to [`Type`] and back to the official one.

use std::fmt;

use super::Type;

impl Type {
    /// The type that a PostgreSQL type name means: `int4`, `character varying(20)`,
    /// `numeric(10,2)`, `timestamp with time zone`, `text[]`. A name that is none of the types told
    /// apart here becomes [`Type::Other`]; enums are resolved by the catalog.
    pub fn parse(name: &str) -> Type {
        let name = normal_spaces(name);
        if let Some(element) = array_element(&name) {
            return Type::Array(Box::new(Type::parse(element)));
        }
        let bare = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        let (base, arguments) = split_arguments(bare);
        builtin(&base, &arguments).unwrap_or_else(|| Type::Other(bare.to_owned()))
    }

    /// The official name, such as `character varying(20)` or `timestamp with time zone`.
    pub fn sql_name(&self) -> String {
        self.to_string()
    }

    /// Whether values are numbers.
    pub fn is_number(&self) -> bool {
        use Type::{Float4, Float8, Int2, Int4, Int8, Numeric};
        matches!(self, Int2 | Int4 | Int8 | Float4 | Float8 | Numeric(_))
    }

    /// Whether equal values look alike however an engine stores or prints them. Numbers with a scale, blank
    /// padding, JSON and moments in any zone may not.
    pub fn has_one_form(&self) -> bool {
        use Type::{Bool, Int2, Int4, Int8, Text, Uuid, Varchar};
        matches!(self, Bool | Int2 | Int4 | Int8 | Text | Varchar(_) | Uuid)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Type::Bool => "boolean",
            Type::Int2 => "smallint",
            Type::Int4 => "integer",
            Type::Int8 => "bigint",
            Type::Float4 => "real",
            Type::Float8 => "double precision",
            Type::Numeric(None) => "numeric",
            Type::Numeric(Some((precision, scale))) => return write!(f, "numeric({precision},{scale})"),
            Type::Text => "text",
            Type::Varchar(None) => "character varying",
            Type::Varchar(Some(length)) => return write!(f, "character varying({length})"),
            Type::Char(length) => return write!(f, "character({length})"),
            Type::Bytes => "bytea",
            Type::Uuid => "uuid",
            Type::Timestamptz => "timestamp with time zone",
            Type::Timestamp => "timestamp without time zone",
            Type::Date => "date",
            Type::Time => "time without time zone",
            Type::Interval => "interval",
            Type::Json => "json",
            Type::Jsonb => "jsonb",
            Type::Enum(name) | Type::Other(name) => name,
            Type::Array(element) => return write!(f, "{element}[]"),
        };
        f.write_str(name)
    }
}

/// Lower case outside quotes, one space between words, none around punctuation.
fn normal_spaces(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut quoted = false;
    let mut space = false;
    for c in name.trim().chars() {
        quoted ^= c == '"';
        if c.is_whitespace() && !quoted {
            space = true;
            continue;
        }
        let word = c.is_alphanumeric() || c == '_' || c == '"';
        let after_word = out.ends_with(|last: char| last.is_alphanumeric() || "_\")".contains(last));
        if std::mem::take(&mut space) && word && after_word {
            out.push(' ');
        }
        if quoted {
            out.push(c);
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// The element type's name of `text[]`, `text[3]`, `text array`.
fn array_element(name: &str) -> Option<&str> {
    if let Some(element) = name.strip_suffix(" array") {
        return Some(element);
    }
    let (element, bound) = name.strip_suffix(']')?.rsplit_once('[')?;
    bound.bytes().all(|digit| digit.is_ascii_digit()).then_some(element)
}

/// `character varying(20)` → name without arguments, and the arguments:
/// `timestamp(3) with time zone` → `timestamp with time zone`, `[3]`.
fn split_arguments(name: &str) -> (String, Vec<i64>) {
    let Some((before, rest)) = name.split_once('(') else { return (name.to_owned(), Vec::new()) };
    let Some((arguments, after)) = rest.split_once(')') else { return (name.to_owned(), Vec::new()) };
    let Ok(arguments) = arguments.split(',').map(str::parse).collect::<Result<Vec<i64>, _>>() else {
        return (name.to_owned(), Vec::new());
    };
    (format!("{}{after}", before.trim_end()), arguments)
}

fn builtin(base: &str, arguments: &[i64]) -> Option<Type> {
    let length = arguments.first().and_then(|length| u32::try_from(*length).ok());
    Some(match base {
        "bool" | "boolean" => Type::Bool,
        "int2" | "smallint" | "smallserial" | "serial2" => Type::Int2,
        "int4" | "int" | "integer" | "serial" | "serial4" => Type::Int4,
        "int8" | "bigint" | "bigserial" | "serial8" => Type::Int8,
        "float4" | "real" => Type::Float4,
        "float" if length.is_some_and(|bits| bits <= 24) => Type::Float4,
        "float8" | "double precision" | "float" => Type::Float8,
        "numeric" | "decimal" | "dec" => Type::Numeric(precision_and_scale(arguments)),
        "text" | "citext" | "name" => Type::Text,
        "varchar" | "character varying" | "char varying" => Type::Varchar(length),
        "bpchar" if length.is_none() => Type::Text,
        "char" | "character" | "bpchar" => Type::Char(length.unwrap_or(1)),
        "bytea" => Type::Bytes,
        "uuid" => Type::Uuid,
        "timestamptz" | "timestamp with time zone" => Type::Timestamptz,
        "timestamp" | "timestamp without time zone" => Type::Timestamp,
        "date" => Type::Date,
        "time" | "time without time zone" => Type::Time,
        "json" => Type::Json,
        "jsonb" => Type::Jsonb,
        _ if base == "interval" || base.starts_with("interval ") => Type::Interval,
        _ => return None,
    })
}

fn precision_and_scale(arguments: &[i64]) -> Option<(u16, i16)> {
    let precision = u16::try_from(*arguments.first()?).ok()?;
    let scale = i16::try_from(arguments.get(1).copied().unwrap_or(0)).ok()?;
    Some((precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_types() {
        let cases = [
            ("int4", Type::Int4),
            ("  Character   Varying ( 20 ) ", Type::Varchar(Some(20))),
            ("varchar", Type::Varchar(None)),
            ("char", Type::Char(1)),
            ("bpchar(3)", Type::Char(3)),
            ("numeric(10, 2)", Type::Numeric(Some((10, 2)))),
            ("decimal(5)", Type::Numeric(Some((5, 0)))),
            ("numeric(3,-2)", Type::Numeric(Some((3, -2)))),
            ("timestamp(3) with time zone", Type::Timestamptz),
            ("TIMESTAMP", Type::Timestamp),
            ("pg_catalog.int8", Type::Int8),
            ("float(24)", Type::Float4),
            ("double precision", Type::Float8),
            ("text[]", Type::Array(Box::new(Type::Text))),
            ("integer[3][]", Type::Array(Box::new(Type::Array(Box::new(Type::Int4))))),
            ("numeric(4,1)[]", Type::Array(Box::new(Type::Numeric(Some((4, 1)))))),
            ("interval day to second", Type::Interval),
            ("tsvector", Type::Other("tsvector".into())),
            ("public.\"My Mood\"", Type::Other("public.\"My Mood\"".into())),
            ("geometry(point,4326)", Type::Other("geometry(point,4326)".into())),
        ];
        for (name, ty) in cases {
            assert_eq!(Type::parse(name), ty, "{name}");
        }
    }

    #[test]
    fn official_names_come_back() {
        for name in [
            "boolean",
            "character varying(20)",
            "character(3)",
            "numeric(10,2)",
            "timestamp without time zone",
            "time without time zone",
            "double precision",
            "jsonb",
            "uuid[]",
        ] {
            assert_eq!(Type::parse(name).sql_name(), name);
        }
    }
}
