//! What is said when a name means no relationship, or several.

use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind};
use truststream_services::database::{Link, TableName};

use super::{Cardinality, Relation, Relations};
use crate::closest::{closest, closest_other};

impl Relations {
    pub(super) fn not_found(&self, from: &TableName, target: &str, hint: Option<&str>) -> Error {
        let origin = &from.name;
        let using = hint.map(|hint| format!(" using the hint '{hint}'")).unwrap_or_default();
        let error = Error::new(
            ErrorKind::InvalidInput,
            "PGRST200",
            format!("Could not find a relationship between '{origin}' and '{target}' in the schema cache"),
        )
        .with_details(format!(
            "Searched for a foreign key relationship between '{origin}' and '{target}'{using} in the schema \
             '{}', but no matches were found.",
            from.schema
        ));
        match self.suggestion(from, target) {
            Some(suggestion) => error.with_hint(suggestion),
            None => error,
        }
    }

    fn suggestion(&self, from: &TableName, target: &str) -> Option<String> {
        let (better, instead) = match self.by_origin.get(from).filter(|relations| known(relations)) {
            Some(relations) => {
                let mut names: Vec<&str> = relations
                    .iter()
                    .filter(|relation| relation.is_reachable())
                    .map(|relation| relation.relationship.to.name.as_str())
                    .collect();
                names.dedup();
                (closest_other(names, target)?, target)
            }
            None => {
                let origins = self
                    .by_origin
                    .iter()
                    .filter(|(origin, relations)| origin.schema == from.schema && known(relations));
                let mut names: Vec<&str> = origins.map(|(origin, _)| origin.name.as_str()).collect();
                names.sort_unstable();
                (closest(names, &from.name)?, from.name.as_str())
            }
        };
        Some(format!("Perhaps you meant '{better}' instead of '{instead}'."))
    }
}

/// Whether a table relates to others of its schema, be it through tables that requests don't reach.
fn known(relations: &[Relation]) -> bool {
    relations.iter().any(|relation| relation.relationship.to.schema == relation.relationship.from.schema)
}

pub(super) fn ambiguous(from: &TableName, target: &str, found: &[&Relation]) -> Error {
    let choices: Vec<String> = found.iter().map(|relation| relation.choice()).collect();
    Error::new(
        ErrorKind::InvalidInput,
        "PGRST201",
        format!(
            "Could not embed because more than one relationship was found for '{}' and '{target}'",
            from.name
        ),
    )
    .with_details(Json::Array(found.iter().map(|relation| relation.description()).collect()))
    .with_hint(format!(
        "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' \
         key.",
        choices.join(", ")
    ))
}

impl Relation {
    /// How to ask for this one: `'clients!constraint'`.
    fn choice(&self) -> String {
        let by = match &self.relationship.link {
            Link::Key { constraint, .. } => constraint,
            Link::Junction { table, .. } => &table.name,
            Link::Computed { function } => &function.name,
        };
        format!("'{}!{by}'", self.relationship.to.name)
    }

    fn description(&self) -> Json {
        let (from, to) = (&self.relationship.from.name, &self.relationship.to.name);
        let cardinality = match self.cardinality {
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToMany => "many-to-many",
            Cardinality::Computed => "computed",
        };
        let relationship = match &self.relationship.link {
            Link::Key { constraint, columns } => format!(
                "{constraint} using {from}({}) and {to}({})",
                list(columns.iter().map(|(own, _)| own)),
                list(columns.iter().map(|(_, other)| other)),
            ),
            Link::Junction { table, source, target } => format!(
                "{} using {}({}) and {}({})",
                table.name,
                source.0,
                list(source.1.iter().map(|(_, column)| column)),
                target.0,
                list(target.1.iter().map(|(column, _)| column)),
            ),
            Link::Computed { function } => function.name.clone(),
        };
        json!({
            "cardinality": cardinality,
            "embedding": format!("{from} with {to}"),
            "relationship": relationship,
        })
    }
}

fn list<'a>(columns: impl Iterator<Item = &'a String>) -> String {
    columns.map(String::as_str).collect::<Vec<_>>().join(", ")
}
