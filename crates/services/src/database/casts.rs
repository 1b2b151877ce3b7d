//! Casts by which values of domains are shown and read.

use serde::{Deserialize, Serialize};

use super::{Catalog, Column, Function, TableName};

/// A cast that says how values of a domain are shown or read, as PostgREST's
/// [domain representations](https://docs.postgrest.org/en/v14/references/api/domain_representations.html)
/// are declared: `create cast (color as json) with function json(color) as implicit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// The domain.
    pub domain: TableName,
    /// From or to which type.
    pub direction: CastDirection,
    /// The function that casts.
    pub function: TableName,
    /// The type of the function's parameter, as the function has it.
    pub parameter: String,
}

/// From or to which type a domain is cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CastDirection {
    /// How a value is shown in a reply.
    ToJson,
    /// Nothing asks for it.
    ToText,
    /// How a value of a body is read.
    FromJson,
    /// How a literal of a filter is read.
    FromText,
}

impl Catalog {
    /// The function by which values of a column are shown or read, where a cast of its domain says so.
    pub fn representation(&self, column: &Column, direction: CastDirection) -> Option<&Function> {
        let of_domain =
            |cast: &&Cast| cast.direction == direction && is_named(&cast.domain, &column.type_name);
        self.casts.iter().find(of_domain).and_then(|cast| self.cast_function(cast))
    }

    /// The function of a cast.
    pub fn cast_function(&self, cast: &Cast) -> Option<&Function> {
        let is_it = |function: &&Function| {
            let parameters = function.parameters.as_slice();
            function.name == cast.function && matches!(parameters, [only] if only.type_name == cast.parameter)
        };
        self.functions.iter().find(is_it)
    }
}

/// Whether a column's type is written so: without the schema if that is `public`.
fn is_named(domain: &TableName, written: &str) -> bool {
    match written.strip_prefix(&domain.schema).and_then(|rest| rest.strip_prefix('.')) {
        Some(name) => name == domain.name,
        None => domain.schema == "public" && written == domain.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_name_their_domain_with_its_schema_but_public() {
        assert!(is_named(&TableName::public("color"), "color"));
        assert!(is_named(&TableName::new("shop", "color"), "shop.color"));
        assert!(!is_named(&TableName::new("shop", "color"), "color"));
        assert!(!is_named(&TableName::public("color"), "shop.color"));
    }
}
