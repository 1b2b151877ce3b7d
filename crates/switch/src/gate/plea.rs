//! What an operation may touch, for whom it is done considered.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value as Json;
use truststream_kernel::Context;
use truststream_services::database::{
    Batch, DatabaseOp, Delete, Filter, Insert, Invoke, Item, Operand, Operator, Query, Select, Step,
    TableName, Update,
};

use super::Touch;
use super::rows::Said;
use crate::Route;
use crate::machine::{Division, Tenancy, TenantKind};

/// Roles that no policy lets by.
const UNDER_POLICIES: [&str; 2] = ["anon", "authenticated"];

/// An operation, or a step of a transaction, that asks where it may go.
///
/// Where tenants are parts, it touches the tenants that it provably keeps to: the one of its caller's
/// claim, where policies keep everybody to that, or else those that its filters or its rows name.
/// What does not say so, and what can't be judged, touches all.
pub struct Plea<'o> {
    cx: &'o Context,
    asked: Asked<'o>,
    /// What was found out, so that a gate is not held up by looking into rows under its lock.
    known: OnceLock<(Tenancy, Reached)>,
}

enum Asked<'o> {
    Op(&'o DatabaseOp),
    Step(&'o Step),
}

impl<'o> Plea<'o> {
    /// Of an operation.
    pub fn of(cx: &'o Context, op: &'o DatabaseOp) -> Self {
        Plea { cx, asked: Asked::Op(op), known: OnceLock::new() }
    }

    /// Of a step of a transaction.
    pub fn of_step(cx: &'o Context, step: &'o Step) -> Self {
        Plea { cx, asked: Asked::Step(step), known: OnceLock::new() }
    }

    /// The parts of a route that it may touch.
    pub fn touch(&self, route: &Route) -> Touch {
        let Some(division) = &route.division else { return Touch::REST };
        let Some(tenancy) = &division.tenancy else {
            return match self.asked {
                Asked::Op(op) => Touch::of_op(op, division),
                Asked::Step(step) => Touch::of_step(step, division),
            };
        };
        let (of, reached) = self.known.get_or_init(|| (tenancy.clone(), self.reached(tenancy)));
        let touch =
            if of == tenancy { reached.touch(division) } else { self.reached(tenancy).touch(division) };
        // What touches no row is done by the owner of the route.
        let is_whole = matches!(self.asked, Asked::Op(_));
        if is_whole && touch == Touch::NONE { Touch::REST } else { touch }
    }

    fn reached(&self, tenancy: &Tenancy) -> Reached {
        let look = Look { cx: self.cx, tenancy };
        match self.asked {
            Asked::Op(op) => look.op(op),
            Asked::Step(step) => look.step(step),
        }
    }
}

/// Whose rows may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reached {
    /// What belongs to no tenant.
    Rest,
    /// Rows of these tenants, and nothing that belongs to none.
    Tenants(BTreeSet<String>),
    /// What steps reach, one after the other.
    Several(Vec<Reached>),
    /// Any rows.
    All,
}

impl Reached {
    fn touch(&self, division: &Division) -> Touch {
        match self {
            Reached::All => Touch::ALL,
            Reached::Rest => Touch::REST,
            Reached::Several(all) => all.iter().map(|one| one.touch(division)).fold(Touch::NONE, Touch::with),
            Reached::Tenants(tenants) => {
                // Those that are no parts are of the rest.
                let part =
                    |tenant: &String| division.place_of_tenant(tenant).map_or(Touch::REST, Touch::part);
                tenants.iter().map(part).fold(Touch::NONE, Touch::with)
            }
        }
    }
}

/// What a caller's claim says.
enum Claimed {
    /// This tenant.
    Tenant(String),
    /// Nobody: no row of any tenant is the caller's.
    Nobody,
    /// Something else than a tenant.
    Unclear,
}

struct Look<'o> {
    cx: &'o Context,
    tenancy: &'o Tenancy,
}

impl Look<'_> {
    fn op(&self, op: &DatabaseOp) -> Reached {
        match op {
            DatabaseOp::Select(op) => self.select(op),
            DatabaseOp::Insert(op) => self.insert(op),
            DatabaseOp::Update(op) => self.update(op),
            DatabaseOp::Delete(op) => self.delete(op),
            DatabaseOp::Invoke(op) => self.invoke(op),
            DatabaseOp::Batch(batch) => self.batch(batch),
            DatabaseOp::Raw(_) | DatabaseOp::Begin(_) => Reached::All,
            // The verdicts of `Authorize` follow from the rows given and the claims alone: policies of
            // tenants' tables name no table. The others ask the database as a whole.
            _ => Reached::Rest,
        }
    }

    fn step(&self, step: &Step) -> Reached {
        match step {
            Step::Select(op) => self.select(op),
            Step::Insert(op) => self.insert(op),
            Step::Update(op) => self.update(op),
            Step::Delete(op) => self.delete(op),
            Step::Invoke(op) => self.invoke(op),
            Step::Raw(_) => Reached::All,
            Step::Expect(_) => Reached::Several(Vec::new()),
        }
    }

    fn batch(&self, batch: &Batch) -> Reached {
        Reached::Several(batch.steps.iter().map(|step| self.step(step)).collect())
    }

    fn select(&self, op: &Select) -> Reached {
        self.relation(&op.table, &op.query, |column| self.filtered(&op.query, column))
    }

    fn delete(&self, op: &Delete) -> Reached {
        self.relation(&op.table, &op.query, |column| self.filtered(&op.query, column))
    }

    fn insert(&self, op: &Insert) -> Reached {
        self.relation(&op.table, &op.query, |column| {
            if op.columns.as_ref().is_some_and(|columns| !columns.iter().any(|name| name == column)) {
                return None;
            }
            match Said::read(op.rows.in_memory()?, column, self.tenancy.kind) {
                Said::Tenants(tenants) => Some(tenants),
                Said::Nothing | Said::Unclear => None,
            }
        })
    }

    /// An update that makes a row another tenant's would have to be done on two sides.
    fn update(&self, op: &Update) -> Reached {
        self.relation(&op.table, &op.query, |column| {
            let tenants = self.filtered(&op.query, column)?;
            let named = op.columns.as_ref().map(|columns| columns.iter().any(|name| name == column));
            if named == Some(false) {
                return Some(tenants);
            }
            let stays = match Said::read(op.values.in_memory()?, column, self.tenancy.kind) {
                Said::Nothing => named.is_none(),
                Said::Tenants(new) => new.len() == 1 && new == tenants,
                Said::Unclear => false,
            };
            stays.then_some(tenants)
        })
    }

    fn invoke(&self, op: &Invoke) -> Reached {
        self.beside(&op.function).unwrap_or(Reached::Rest)
    }

    /// What may be reached through a view or a function.
    fn beside(&self, name: &TableName) -> Option<Reached> {
        if self.tenancy.across.contains(name) {
            return Some(Reached::All);
        }
        let within = self.tenancy.within.contains(name);
        within.then(|| self.claimed().unwrap_or(Reached::All))
    }

    fn relation(
        &self,
        name: &TableName,
        query: &Query,
        proof: impl FnOnce(&str) -> Option<BTreeSet<String>>,
    ) -> Reached {
        if let Some(reached) = self.beside(name) {
            return reached;
        }
        let Some(column) = self.tenancy.column(name) else { return Reached::Rest };
        if !self.tenancy.embeds && query.items.iter().any(|item| matches!(item, Item::Embed(_))) {
            return Reached::All;
        }
        let proven = self.claimed().or_else(|| proof(column).map(Reached::Tenants));
        proven.unwrap_or(Reached::All)
    }

    /// Whose rows policies keep the caller to.
    fn claimed(&self) -> Option<Reached> {
        let path = self.tenancy.claim.as_deref()?;
        let identity = self.cx.identity().filter(|who| UNDER_POLICIES.contains(&who.role.as_str()))?;
        let mut steps = path.split('.');
        let first = identity.claims.get(steps.next()?);
        let value = steps.try_fold(first.unwrap_or(&Json::Null), |value, step| match value {
            Json::Object(members) => Some(members.get(step).unwrap_or(&Json::Null)),
            Json::Null => Some(&Json::Null),
            _ => None,
        });
        Some(match claimed(value, self.tenancy.kind) {
            Claimed::Tenant(tenant) => Reached::Tenants([tenant].into()),
            Claimed::Nobody => Reached::Rest,
            Claimed::Unclear => Reached::All,
        })
    }

    fn filtered(&self, query: &Query, column: &str) -> Option<BTreeSet<String>> {
        named_by(query.filter.as_ref()?, column, self.tenancy.kind)
    }
}

fn claimed(value: Option<&Json>, kind: TenantKind) -> Claimed {
    let text = match value {
        Some(Json::Null) => return Claimed::Nobody,
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) if number.is_i64() => number.to_string(),
        _ => return Claimed::Unclear,
    };
    kind.canonical(&text).map_or(Claimed::Unclear, Claimed::Tenant)
}

/// The tenants that a condition keeps to: what must hold in any case is looked at.
fn named_by(filter: &Filter, column: &str, kind: TenantKind) -> Option<BTreeSet<String>> {
    match filter {
        Filter::And(all) => all.iter().find_map(|one| named_by(one, column, kind)),
        Filter::Or(_) | Filter::Not(_) => None,
        Filter::Compare(one) => {
            let of_column = one.field.name == column && one.field.path.is_empty();
            if !of_column || one.quantifier.is_some() {
                return None;
            }
            match (&one.operator, &one.operand) {
                (Operator::Eq, Operand::Text(text)) => Some([kind.canonical(text)?].into()),
                (Operator::In, Operand::List(texts)) => {
                    texts.iter().map(|text| kind.canonical(text)).collect()
                }
                _ => None,
            }
        }
    }
}

#[cfg(test)]
#[path = "plea_tests.rs"]
mod tests;
