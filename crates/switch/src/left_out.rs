//! What a stream does not carry while two backends serve different parts.

use std::collections::{BTreeSet, HashSet};

use truststream_kernel::Row;
use truststream_services::database::{Change, TableName};

use crate::machine::Tenancy;

/// Changes of clients that a stream does not carry: somebody wrote them past TrustStream, on the side
/// that does not serve the part.
#[derive(Clone, Debug)]
pub(crate) enum LeftOut {
    /// Those of these tables.
    Tables(HashSet<TableName>),
    /// Those of rows of these tenants.
    Tenants(Tenancy, BTreeSet<String>),
    /// All but those of rows of these tenants, and of these tables.
    Others(Tenancy, BTreeSet<String>, HashSet<TableName>),
}

impl LeftOut {
    pub(crate) fn has(&self, change: &Change) -> bool {
        match self {
            LeftOut::Tables(tables) => tables.contains(&change.table),
            LeftOut::Tenants(tenancy, moved) => {
                tenancy.of_change(change).iter().flatten().any(|tenant| moved.contains(tenant))
            }
            LeftOut::Others(tenancy, moved, tables) => {
                let is_carried =
                    |tenant: &Option<String>| tenant.as_ref().is_some_and(|tenant| moved.contains(tenant));
                !tables.contains(&change.table) && !tenancy.of_change(change).iter().all(is_carried)
            }
        }
    }
}

/// The rows of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct RowsOf {
    pub(crate) tenancy: Tenancy,
    pub(crate) tenant: String,
}

impl RowsOf {
    /// Whether a row is one of them.
    pub(crate) fn has(&self, table: &TableName, row: &Row) -> bool {
        self.tenancy.of_row(table, row).as_ref() == Some(&self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::Value;
    use truststream_services::database::{ChangeKind, Mark};

    use super::*;
    use crate::machine::TenantKind;

    fn tenancy() -> Tenancy {
        let tables = vec![(TableName::public("notes"), "org".to_owned())];
        let (across, within) = (Vec::new(), Vec::new());
        Tenancy { tables, kind: TenantKind::Text, claim: None, across, within, embeds: true }
    }

    fn row(org: &str) -> Row {
        Row { columns: vec!["org".to_owned()].into(), values: vec![Value::Text(org.into())] }
    }

    fn change(table: &str, old: Option<&str>, new: Option<&str>) -> Change {
        Change {
            mark: Mark::default(),
            table: TableName::public(table),
            kind: ChangeKind::Update,
            old: old.map(row),
            new: new.map(row),
            origin: None,
            made_at: 0,
        }
    }

    #[test]
    fn each_stream_carries_the_rows_of_the_tenants_that_its_source_serves() {
        let moved = BTreeSet::from(["acme".to_owned()]);
        let kept = HashSet::from([TableName::public("requests")]);
        let forward = LeftOut::Tenants(tenancy(), moved.clone());
        let backward = LeftOut::Others(tenancy(), moved, kept);
        let both = |change: &Change| (forward.has(change), backward.has(change));
        assert_eq!(both(&change("notes", None, Some("acme"))), (true, false));
        assert_eq!(both(&change("notes", Some("acme"), None)), (true, false));
        assert_eq!(both(&change("notes", Some("globex"), Some("globex"))), (false, true));
        // Whose row it is was changed by somebody directly: neither can tell.
        assert_eq!(both(&change("notes", Some("globex"), Some("acme"))), (true, true));
        assert_eq!(both(&change("shared", Some("acme"), Some("acme"))), (false, true));
        assert_eq!(both(&change("requests", None, Some("acme"))), (false, false));
    }
}
