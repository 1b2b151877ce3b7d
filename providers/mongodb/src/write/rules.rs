//! What rows must obey: defaults, generated columns, policies, not null, checks.

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Column, Partition, PolicyCommand, Table, TableName, errors};
use truststream_sql::schema::domain_violated;

use super::Named;
use super::divided::{outside, relation};
use super::fault::failing_row;
use crate::cast::cast;
use crate::names::field;
use crate::partition::Share;
use crate::plan::{Place, Planner, refused_by};
use crate::schema::Schema;
use crate::sql::{Translator, stored_form};
use crate::storage;
use crate::term::Want;
use crate::work::Work;

/// A value of an expression's type as a column stores it.
fn stored(schema: &Schema, found: Option<&Bson>, ty: &Type, column: &Column) -> Result<Bson> {
    let value = storage::value(found.unwrap_or(&Bson::Null), ty)?;
    storage::stored(&schema.catalog, &cast(&schema.catalog, value, ty, &column.ty)?, &column.ty)
}

/// The defaults of a table's columns.
pub(crate) struct Defaults<'t> {
    table: &'t Table,
    /// Those that are the same for all rows of a write.
    known: Vec<Option<Bson>>,
}

impl<'t> Defaults<'t> {
    pub(crate) fn new(planner: &mut Planner<'_>, table: &'t Table) -> Result<Self> {
        let mut known = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let anew = column.default.as_ref().is_some_and(|default| default.contains("uuid"));
            known.push(if anew { None } else { Some(default(planner, column)?) });
        }
        Ok(Defaults { table, known })
    }

    pub(crate) fn of(&self, planner: &mut Planner<'_>, at: usize) -> Result<Bson> {
        match self.known.get(at) {
            Some(Some(known)) => Ok(known.clone()),
            _ => default(planner, &self.table.columns[at]),
        }
    }
}

/// The value a column takes where none is given; null for those that are numbered or computed.
pub(super) fn default(planner: &mut Planner<'_>, column: &Column) -> Result<Bson> {
    let text = match &column.default {
        Some(text) if column.identity.is_none() && column.generated.is_none() => text,
        _ => return Ok(Bson::Null),
    };
    let term = Translator::value_of(planner, None, text, &column.ty)?;
    let catalog = &planner.schema.catalog;
    match term.known()? {
        Some(value) => storage::stored(catalog, &cast(catalog, value, &term.ty, &column.ty)?, &column.ty),
        None => Err(Error::unsupported(format!("this database can't compute the default {text}"))),
    }
}

impl Work {
    /// Computes the generated columns of rows.
    pub(crate) async fn generate(&mut self, (name, table): Named<'_>, rows: &mut [Document]) -> Result<()> {
        let generated: Vec<(&Column, &String)> =
            table.columns.iter().filter_map(|column| Some((column, column.generated.as_ref()?))).collect();
        if generated.is_empty() || rows.is_empty() {
            return Ok(());
        }
        let schema = std::sync::Arc::clone(&self.schema);
        let (mut projection, mut types) = (doc! { "_id": 0 }, Vec::new());
        for (at, (column, text)) in generated.iter().enumerate() {
            let mut planner = self.planner(&schema);
            let term = Translator::value_of(&mut planner, Some(&Place::of(name)), text, &column.ty)?;
            projection.insert(format!("g{at}"), stored_form(&term));
            types.push(term.ty);
        }
        let computed = self.evaluated(rows, vec![doc! { "$project": projection }]).await?;
        for (row, values) in rows.iter_mut().zip(&computed) {
            for (at, ((column, _), ty)) in generated.iter().zip(&types).enumerate() {
                let value = stored(&schema, values.get(format!("g{at}")), ty, column)?;
                row.insert(field(&column.name), value);
            }
        }
        Ok(())
    }

    /// Checks new rows: whether they are in a partition, policies of the command (and of reading, where
    /// they are read), then what must not be null, then checks.
    ///
    /// # Errors
    /// 42501, 23502, 23514.
    pub(crate) async fn check(
        &mut self,
        (name, table): Named<'_>,
        rows: &[Document],
        policies: &[(PolicyCommand, bool)],
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        // What foreign keys do no policy concerns, and no name that a statement has.
        let share = self.share_of(name).filter(|_| !policies.is_empty()).cloned();
        let inserts = policies.iter().any(|(command, _)| *command == PolicyCommand::Insert);
        let part = share.as_ref().map(|share| &share.partition);
        let verdicts = match table.checks.iter().any(|check| check.partition.is_some()) {
            false => self.verdicts((name, table), rows, (policies, part)).await?,
            true => {
                let placed: Vec<_> =
                    rows.iter().map(|row| placed((name, table), share.as_ref(), row)).collect();
                self.verdicts((name, table), &placed, (policies, part)).await?
            }
        };
        for (at, row) in rows.iter().enumerate() {
            let is_inside = share.as_ref().map_or(Ok(true), |share| share.has(table, row))?;
            let relation = match &share {
                Some(share) if !is_inside => &share.partition.name,
                _ => relation((name, table), row)?,
            };
            let holds = |key: &str| verdicts.get(at).is_none_or(|one| one.get_bool(key).unwrap_or(true));
            let verdict = verdicts.get(at).and_then(|one| one.get("p"));
            refused_by(verdict, part.map_or(name, |part| &part.name), false).map_or(Ok(()), Err)?;
            let outside = || if is_inside { Ok(()) } else { Err(outside(relation, table, row)) };
            // Of a row that was there PostgreSQL asks first whether it stays, and of a new one whether it goes
            // on to the parts of a partition.
            let placed = share.as_ref().is_some_and(|share| share.partition.partitioning.is_none());
            if !inserts || !placed {
                outside()?;
            }
            not_null((relation, table), row)?;
            for (number, check) in table.checks.iter().enumerate() {
                if !holds(&format!("c{number}")) {
                    if let Some(error) = domain_violated(&self.schema.catalog, table, &check.name) {
                        return Err(error);
                    }
                    let error = errors::check_violated(relation, &check.name);
                    return Err(error.with_details(failing_row(table, row)));
                }
            }
            outside()?;
        }
        Ok(())
    }

    /// What policies and checks say of each row; nothing if there are none.
    async fn verdicts(
        &mut self,
        named: Named<'_>,
        rows: &[Document],
        policies: (&[(PolicyCommand, bool)], Option<&Partition>),
    ) -> Result<Vec<Document>> {
        let schema = std::sync::Arc::clone(&self.schema);
        let (stages, asked) = {
            let mut planner = self.planner(&schema);
            let stages = verdicts(&mut planner, named, policies)?;
            (stages, planner.asked.take().unwrap_or_default())
        };
        if stages.is_empty() || rows.is_empty() {
            return Ok(Vec::new());
        }
        if asked.is_empty() {
            return self.evaluated(rows, stages).await;
        }
        let answered = self.answered(rows, &asked).await?;
        self.evaluated(&answered, stages).await
    }
}

/// The names of the partitions that a row is in, in a document that no column's field is in.
const PLACE: &str = "%place";

/// A row with the partitions whose rules it has to obey; of one that is in none, that is told elsewhere.
fn placed((name, table): Named<'_>, share: Option<&Share>, row: &Document) -> Document {
    let into = match share {
        Some(share) if !share.has(table, row).unwrap_or(true) => Some(&share.partition.name),
        _ => relation((name, table), row).ok(),
    };
    let known = table.partitioning.as_ref().zip(into);
    let path = known.map(|(known, into)| known.path(into)).unwrap_or_default();
    let mut placed = row.clone();
    placed.insert(PLACE, path.iter().map(|(_, one)| one.name.to_string()).collect::<Vec<_>>());
    placed
}

/// Stages that say of each row whether policies (`p`, as `Demands::verdict` has it) and checks (`c0`, …) hold; none
/// if there is nothing to say.
fn verdicts(
    planner: &mut Planner<'_>,
    (name, table): Named<'_>,
    (policies, part): (&[(PolicyCommand, bool)], Option<&Partition>),
) -> Result<Vec<Document>> {
    let (mut stages, mut projection) = (Vec::new(), Document::new());
    if let Some(demands) = planner.demands((name, part), policies)? {
        let (made, verdict) = demands.verdict();
        stages.extend(made);
        projection.insert("p", verdict);
    }
    planner.asked = Some(Vec::new());
    for (at, check) in table.checks.iter().enumerate() {
        let violated = Translator::condition(planner, &Place::of(name), &check.expression, Want::False)?;
        let holds = crate::term::not(violated.expr);
        let of = check.partition.as_ref().map(|one| doc! { "$in": [one.to_string(), format!("${PLACE}")] });
        let judged = of.map(|of| doc! { "$cond": [of, holds.clone(), true] }.into());
        projection.insert(format!("c{at}"), judged.unwrap_or(holds));
    }
    if projection.is_empty() {
        return Ok(Vec::new());
    }
    // A literal true would be read as "keep this field".
    let computed = projection.into_iter().map(|(key, expr)| {
        (
            key,
            match expr {
                Bson::Boolean(known) => crate::term::constant(known),
                expr => expr,
            },
        )
    });
    let mut projection = doc! { "_id": 0 };
    projection.extend(computed);
    stages.push(doc! { "$project": projection });
    Ok(stages)
}

fn not_null((name, table): (&TableName, &Table), row: &Document) -> Result<()> {
    for column in table.columns.iter().filter(|column| !column.nullable) {
        if matches!(row.get(field(&column.name)), None | Some(Bson::Null)) {
            let error = errors::null_value(name, &column.name);
            return Err(error.with_details(failing_row(table, row)));
        }
    }
    Ok(())
}
