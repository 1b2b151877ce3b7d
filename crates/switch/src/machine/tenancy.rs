//! Tenants, each of which changes its owner by itself: its rows in all tables that have its column.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use truststream_kernel::{Row, Type};
use truststream_services::database::{Change, TableName};

use super::{Division, MOST_PARTS, Part, Refused, State};

/// How the name of a tenant's part begins.
const PREFIX: &str = "tenant:";

/// What tells one tenant's rows from another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenancy {
    /// Tables whose rows are a tenant's, each with the column that names it. Their keys and foreign
    /// keys contain that column, and nothing else ties their rows to other rows.
    pub tables: Vec<(TableName, String)>,
    /// What kind of value names a tenant.
    pub kind: TenantKind,
    /// The claim, a path such as `app_metadata.org_id`, to which the policies of every one of these
    /// tables keep their callers. Without it only what a request says tells its tenant.
    pub claim: Option<String>,
    /// Views and functions that may reach the rows of every tenant.
    pub across: Vec<TableName>,
    /// Views and functions that reach these tables with the rights of their callers, and nothing else.
    pub within: Vec<TableName>,
    /// Whether what is embedded into a row of a tenant is of the same tenant.
    pub embeds: bool,
}

/// What kind of value names a tenant: one whose equality is the same on every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantKind {
    /// A text.
    Text,
    /// A UUID.
    Uuid,
    /// A whole number.
    Integer,
}

impl TenantKind {
    /// The kind of a column's values, if tenants can be told by them.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        match ty {
            Type::Text | Type::Varchar(None) => Some(TenantKind::Text),
            Type::Uuid => Some(TenantKind::Uuid),
            Type::Int2 | Type::Int4 | Type::Int8 => Some(TenantKind::Integer),
            _ => None,
        }
    }

    /// The one text of a value; nothing if it is none of this kind.
    pub(crate) fn canonical(self, text: &str) -> Option<String> {
        match self {
            TenantKind::Text => Some(text.to_owned()),
            TenantKind::Uuid => uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.to_string()),
            TenantKind::Integer => text.parse::<i64>().ok().map(|number| number.to_string()),
        }
    }
}

impl Tenancy {
    /// The column of a table that names the tenant.
    pub(crate) fn column(&self, table: &TableName) -> Option<&str> {
        self.tables.iter().find(|(name, _)| name == table).map(|(_, column)| column.as_str())
    }

    /// The tenant of a row.
    pub(crate) fn of_row(&self, table: &TableName, row: &Row) -> Option<String> {
        self.kind.canonical(&row.get(self.column(table)?)?.to_text()?)
    }

    /// The tenants of a row before and after a change.
    pub(crate) fn of_change(&self, change: &Change) -> BTreeSet<Option<String>> {
        change.old.iter().chain(&change.new).map(|row| self.of_row(&change.table, row)).collect()
    }

    /// The part of the tenant that a name speaks of: `tenant:` and the value as its column has it.
    pub(crate) fn named(&self, name: &str) -> Option<Part> {
        let value = name.strip_prefix(PREFIX)?;
        let tenant = self.kind.canonical(value).filter(|tenant| tenant == value);
        tenant.map(|tenant| Part { name: name.to_owned(), tenant: Some(tenant), ..Part::default() })
    }
}

impl Division {
    /// The tables of a part, all of which belong to every tenant.
    pub(crate) fn tables_of(&self, part: &Part) -> Vec<TableName> {
        match self.tenancy.as_ref().filter(|_| part.tenant.is_some()) {
            Some(tenancy) => tenancy.tables.iter().map(|(table, _)| table.clone()).collect(),
            None => part.tables.clone(),
        }
    }

    /// The place of a tenant that was named.
    pub(crate) fn place_of_tenant(&self, tenant: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.tenant.as_deref() == Some(tenant))
    }
}

impl State {
    /// Says what tells tenants apart; none of them is named yet.
    pub(super) fn divide_by_tenants(&mut self, tenancy: &Tenancy) -> Result<(), Refused> {
        self.divide(&[])?;
        if let Some(division) = &mut self.route.division {
            division.tenancy = Some(tenancy.clone());
        }
        Ok(())
    }

    /// Names a tenant, so that it may move. What was admitted before may touch it: that is in force
    /// only from the next epoch on.
    pub(super) fn name_tenant(&mut self, name: &str) -> Result<(), Refused> {
        self.must_be_ready()?;
        if self.route.is_held() {
            return Err(Refused::WritesHeld);
        }
        // All was compared, and every stream has carried it since: it has never moved.
        let verified = self.switch.as_ref().is_some_and(|stage| stage.verified);
        let division = self.route.division.as_mut().ok_or(Refused::NoPart)?;
        let part = division.tenancy.as_ref().and_then(|tenancy| tenancy.named(name));
        let part = part.ok_or(Refused::NoPart)?;
        if division.place(&part.name).is_some() {
            return Ok(());
        }
        if division.parts.len() >= MOST_PARTS {
            return Err(Refused::TooManyParts);
        }
        division.parts.push(Part { verified, ..part });
        self.route.epoch += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Route;
    use crate::machine::{Act, Event, Hold, Phase, Strategy};

    fn act(state: &State, act: Act) -> Result<State, Refused> {
        state.apply(&Event::Act { term: 0, act })
    }

    fn tenancy() -> Box<Tenancy> {
        let tables = vec![(TableName::public("notes"), "org".to_owned())];
        let (across, within) = (Vec::new(), Vec::new());
        Box::new(Tenancy { tables, kind: TenantKind::Uuid, claim: None, across, within, embeds: true })
    }

    fn ready(divide: Act) -> State {
        let plan = Act::Plan { id: 1, to: "t".into(), strategy: Strategy::Gradual, must_verify: true };
        let enter = [Phase::Copying, Phase::Following, Phase::Verifying].map(Act::Enter);
        let begun = [plan, Act::Enter(Phase::Preparing), divide].into_iter().chain(enter);
        let acts = begun.chain([Act::Verified, Act::Enter(Phase::Ready)]);
        acts.fold(State::first(Route::first("s")), |state, next| act(&state, next).unwrap())
    }

    fn name(number: u128) -> String {
        format!("{PREFIX}{}", uuid::Uuid::from_u128(number))
    }

    fn named(state: &State, part: String) -> Result<State, Refused> {
        act(state, Act::NameTenant { part })
    }

    #[test]
    fn a_tenant_is_named_once_and_by_the_value_that_its_column_has() {
        let state = ready(Act::DivideByTenants { tenancy: tenancy() });
        assert_eq!(state.route.division.as_ref().unwrap().parts, []);
        let first = named(&state, name(1)).unwrap();
        assert_eq!(first.route.epoch, state.route.epoch + 1, "what was admitted before may touch it");
        assert!(first.route.division.as_ref().unwrap().parts[0].verified);
        assert_eq!(named(&first, name(1)).unwrap(), first);
        let capitals = name(0xABC).to_uppercase().replace("TENANT", "tenant");
        for wrong in [capitals, "tenant:acme".to_owned(), uuid::Uuid::from_u128(2).to_string()] {
            assert_eq!(named(&first, wrong).unwrap_err(), Refused::NoPart);
        }
        let hold = Hold::of(Duration::from_secs(1));
        let fence = Act::FencePart { part: name(1), epoch: first.route.epoch, hold };
        let fenced = act(&first, fence).unwrap();
        assert_eq!(named(&fenced, name(2)).unwrap_err(), Refused::WritesHeld);
        assert_eq!(named(&ready(Act::Divide { parts: Vec::new() }), name(1)).unwrap_err(), Refused::NoPart);
    }

    #[test]
    fn no_more_are_named_than_can_be_told_apart() {
        let mut state = ready(Act::DivideByTenants { tenancy: tenancy() });
        for number in 0..MOST_PARTS {
            state = named(&state, name(number as u128)).unwrap();
        }
        assert_eq!(named(&state, name(1000)).unwrap_err(), Refused::TooManyParts);
    }
}
