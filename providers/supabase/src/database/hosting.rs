//! What a project has to hold before rows of another database can come: its schema is made there, by
//! those who can run migrations in it.

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{
    Applied, AppliedMigration, Catalog, Column, Position, Prepare, Problem, Table, TableKind, TableName,
};
use truststream_sql::rehearse::rehearse;

use super::RemoteDatabase;
use super::helper::named;

/// Schemas that a project keeps itself, behind APIs of their own. What TrustStream keeps beside them on
/// databases of its own is of no use here.
const KEPT: &[&str] = &["auth", "storage"];

impl RemoteDatabase {
    /// What of the schema that these migrations make is not in the project.
    pub(super) async fn missing(&self, migrations: &[AppliedMigration]) -> Result<Vec<Problem>> {
        if migrations.is_empty() {
            return Ok(Vec::new());
        }
        let here = self.renew().await?;
        let wanted = rehearse(migrations)?.catalog;
        let problem = |(name, table): (&TableName, &Table)| {
            let reason = self.lacks(&here, name, table)?;
            Some(Problem { migration: String::new(), line: 0, statement: format!("table {name}"), reason })
        };
        Ok(tables(&wanted).filter_map(problem).collect())
    }

    /// Why the rows of a table can't come here.
    fn lacks(&self, here: &Catalog, name: &TableName, wanted: &Table) -> Option<String> {
        if !self.schemas.contains(&name.schema) {
            let schema = &name.schema;
            return Some(format!(
                "the project's data API does not show schema {schema}; expose it there and name it in `schemas`"
            ));
        }
        let Some(table) = here.tables.get(name) else {
            return Some(
                "it is not in the project; apply the migrations there (`supabase db push`)".to_owned(),
            );
        };
        if table.primary_key != wanted.primary_key {
            let keys = (table.primary_key.join(", "), wanted.primary_key.join(", "));
            return Some(format!("its primary key is ({}) in the project, not ({})", keys.0, keys.1));
        }
        let differs = wanted.columns.iter().find_map(|column| match table.column(&column.name) {
            None => Some(format!("column {} is not in the project; apply the migrations there", column.name)),
            Some(there) if !alike(&there.ty, &column.ty) => Some(format!(
                "column {} is {} in the project, not {}",
                column.name, there.type_name, column.type_name
            )),
            Some(_) => None,
        });
        let more = |column: &&Column| {
            wanted.column(&column.name).is_none() && !column.nullable && column.default.is_none()
        };
        differs.or_else(|| {
            let column = table.columns.iter().find(more)?;
            Some(format!("column {} of the project needs a value that the other side has not", column.name))
        })
    }

    /// Makes ready for the rows of another database, and done with it, unless the stream that has to
    /// stand somewhere stands elsewhere by now.
    pub(super) async fn make_ready(&self, op: &Prepare, claim: Option<(&str, &Position)>) -> Result<Applied> {
        let (step, tables) = match op {
            Prepare::Begin { migrations } => ("begin", self.receiving(migrations).await?),
            Prepare::Finish => ("finish", Vec::new()),
            Prepare::Identities => ("identities", Vec::new()),
            Prepare::Discard => ("discard", Vec::new()),
            Prepare::Keep => ("keep", Vec::new()),
        };
        let (claim, stands) = claim.unzip();
        let arguments = serde_json::json!({
            "step": step, "tables": named(&tables), "claim": claim, "stands": stands,
        });
        match self.ask_helper("prepare", &arguments, true).await?.as_str() {
            None => Ok(Applied::Done),
            Some("") => Ok(Applied::Stale),
            Some(table) => {
                let message = format!("the target holds rows already: table {table} is not empty");
                Err(Error::new(ErrorKind::Constraint, "BACKEND_011", message)
                    .with_hint("empty it in the project first"))
            }
        }
    }

    /// The tables whose rows will come.
    async fn receiving(&self, migrations: &[AppliedMigration]) -> Result<Vec<TableName>> {
        let problems = self.missing(migrations).await?;
        if let Some(problem) = problems.first() {
            let message = format!("{}: {}", problem.statement, problem.reason);
            return Err(
                Error::unsupported(message).with_details(serde_json::to_value(&problems).unwrap_or_default())
            );
        }
        let wanted = if migrations.is_empty() { None } else { Some(rehearse(migrations)?.catalog) };
        let here = self.catalog();
        let all = wanted.as_ref().map_or(&*here, |wanted| wanted);
        Ok(tables(all).map(|(name, _)| name.clone()).collect())
    }
}

/// Whether two types are the same, as far as a data API tells them: without lengths and precision.
fn alike(one: &Type, other: &Type) -> bool {
    let is_named = |ty: &Type| matches!(ty, Type::Enum(_) | Type::Other(_));
    std::mem::discriminant(one) == std::mem::discriminant(other) || is_named(one) && is_named(other)
}

/// Tables that hold rows of the application's. Views are described like tables, without a key.
fn tables(catalog: &Catalog) -> impl Iterator<Item = (&TableName, &Table)> {
    let holds = |(name, table): &(&TableName, &Table)| {
        let own = KEPT.contains(&name.schema.as_str()) || name.schema.starts_with("truststream");
        table.kind == TableKind::Table && !table.primary_key.is_empty() && !own
    };
    catalog.tables.iter().filter(holds)
}
