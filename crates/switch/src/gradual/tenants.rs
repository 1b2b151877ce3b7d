//! Tenants as parts: named when they are asked for, each with its own rows of the same tables.

use std::collections::{BTreeSet, HashMap, HashSet};

use truststream_kernel::{Error, Result};
use truststream_services::database::{Migrations, TableName};

use super::known::is_of_requests;
use super::tenancy::tenancy;
use super::triggers::whole_schema;
use super::{Conduct, PartReport};
use crate::left_out::{LeftOut, RowsOf};
use crate::machine::{Act, Division, Part, Strategy, Tenancy};
use crate::shared::Shared;
use crate::{Options, Side};

impl Options {
    /// What follows from how a switch is to be made.
    ///
    /// # Errors
    /// When tenants are to be parts of a switch that has none.
    pub(crate) fn settled(mut self) -> Result<Self> {
        if self.tenants.is_some() {
            if self.strategy != Strategy::Gradual {
                return Err(Error::invalid_input("tenants move one by one only with the strategy gradual"));
            }
            self.by_hand = true;
        }
        Ok(self)
    }
}

impl Shared {
    /// What tells the source's tenants apart, where they are to be parts.
    ///
    /// # Errors
    /// As [`tenancy`], and when the source does not tell what its triggers are.
    pub(crate) async fn tenancy_of(&self, source: &Side, options: &Options) -> Result<Option<Tenancy>> {
        let Some(tenants) = &options.tenants else { return Ok(None) };
        let catalog = whole_schema(source).await?;
        let migrations = source.database.send(Migrations).await?;
        tenancy(&catalog, &migrations, tenants).map(Some)
    }
}

impl Division {
    /// Whether something is a part, or can be made one.
    pub(super) fn can_have(&self, name: &str) -> bool {
        self.place(name).is_some()
            || self.tenancy.as_ref().is_some_and(|tenancy| tenancy.named(name).is_some())
    }

    /// What the stream to the target does not carry.
    pub(super) fn not_forward(&self) -> LeftOut {
        match &self.tenancy {
            Some(tenancy) => LeftOut::Tenants(tenancy.clone(), self.moved_tenants()),
            None => LeftOut::Tables(self.moved_tables().collect()),
        }
    }

    /// What the stream to the source does not carry. What is kept of a request is with the part that it
    /// was about, on either side.
    pub(super) fn not_backward(&self, followed: &HashMap<TableName, Vec<String>>) -> LeftOut {
        let tables = followed.keys().cloned();
        match &self.tenancy {
            Some(tenancy) => LeftOut::Others(
                tenancy.clone(),
                self.moved_tenants(),
                tables.filter(is_of_requests).collect(),
            ),
            None => {
                let moved: HashSet<_> = self.moved_tables().collect();
                let stays = |table: &TableName| !moved.contains(table) && !is_of_requests(table);
                LeftOut::Tables(tables.filter(stays).collect())
            }
        }
    }

    /// The rows of a part that are compared, if not all of its tables.
    pub(super) fn rows_of(&self, part: &Part) -> Option<RowsOf> {
        Some(RowsOf { tenancy: self.tenancy.clone()?, tenant: part.tenant.clone()? })
    }

    fn moved_tenants(&self) -> BTreeSet<String> {
        self.parts.iter().filter(|part| part.moved).filter_map(|part| part.tenant.clone()).collect()
    }

    fn moved_tables(&self) -> impl Iterator<Item = TableName> {
        self.parts.iter().filter(|part| part.moved).flat_map(|part| part.tables.clone())
    }
}

impl Conduct<'_> {
    /// Makes a tenant a part, if it is none yet.
    pub(super) async fn name_tenant(&mut self, name: &str) -> Result<()> {
        if self.division.tenancy.is_none() || self.division.place(name).is_some() {
            return Ok(());
        }
        self.shared.routes.act(Act::NameTenant { part: name.to_owned() }).await?;
        self.division = self.shared.division().await?.unwrap_or_default();
        if let Some(part) = self.division.parts.last() {
            let tables = self.division.tables_of(part);
            self.record.report.parts.push(PartReport::of(&Part { tables, ..part.clone() }));
        }
        self.shared.records.save(self.record).await
    }
}
