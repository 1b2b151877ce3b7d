//! What a switch would do, and what two backends hold: looked at, with nothing changing hands.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Describe, TableName};

use super::{Running, Switcher, not_over};
use crate::forward::keys;
use crate::plan::{Plan, moved, plan, rows_in_the_way};
use crate::progress::Meter;
use crate::rehearse::{Rehearsal, rehearse};
use crate::reverse::Reverse;
use crate::signal::Signal;
use crate::verify::Comparison;
use crate::{Options, Phase, Record, Side, TableReport};

impl Switcher {
    /// What a switch to `to` would do.
    ///
    /// # Errors
    /// When a side does not answer.
    pub async fn plan(&self, to: &str) -> Result<Plan> {
        let mut plan = self.weighed(to).await?;
        let target = self.shared.sides.side(to).await?;
        let latest = self.shared.records.latest().await?;
        let is_mirror = self.shared.routes.stored().await?.standby.is_some_and(|standby| standby.to == to);
        if let Some(latest) = latest.as_ref().filter(|latest| !latest.phase.is_over()) {
            plan.first.push(not_over(latest).to_string());
        } else if !is_mirror
            && latest.is_none_or(|latest| latest.to != to || latest.phase != Phase::RolledBack)
        {
            plan.first.extend(Box::pin(rows_in_the_way(&target, &plan.tables)).await?);
        }
        Ok(plan)
    }

    /// The same without what has to be over or gone first, which a start finds by itself.
    pub(super) async fn weighed(&self, to: &str) -> Result<Plan> {
        let route = self.shared.routes.gate().route();
        if route.owner == to {
            return Err(Error::invalid_input(format!("`{to}` serves already")));
        }
        let target = self.shared.sides.side(to).await?;
        let source = self.shared.sides.side(&route.owner).await?;
        Box::pin(plan(&source, &target)).await
    }

    /// Tries a switch to `to` on some rows of every table, and removes them again.
    ///
    /// # Errors
    /// When a switch is not over, a side does not answer, or the target holds rows already.
    pub async fn rehearse(&self, to: &str) -> Result<Rehearsal> {
        let _nothing_else = self.running.lock().await;
        let latest = self.shared.records.latest().await?;
        // What a switch that went back left on its target is discarded by finalizing it.
        let holds = |record: &&Record| !matches!(record.phase, Phase::Finalized | Phase::Aborted);
        if let Some(latest) = latest.as_ref().filter(holds) {
            return Err(not_over(latest));
        }
        let plan = self.plan(to).await?;
        let (source, target) = (self.shared.sides.side(&plan.from).await?, self.shared.sides.side(to).await?);
        self.shared.as_leader(Box::pin(rehearse(&self.shared, &source, &target, plan))).await
    }

    /// Compares two backends row by row. Between the sides of a committed switch the way back is
    /// followed meanwhile; of others, rows that change while they are read may be said to differ.
    ///
    /// # Errors
    /// `BACKEND_009` naming rows that differ; when a switch is on its way, which compares by itself;
    /// when the backend that serves is the one that would be repaired.
    pub async fn verify(&self, source: &str, target: &str, options: &Options) -> Result<Vec<TableReport>> {
        let mut running = self.running.lock().await;
        let latest = self.shared.records.latest().await?;
        if let Some(latest) = latest.as_ref().filter(|latest| latest.phase.is_before_commit()) {
            return Err(not_over(latest));
        }
        self.settle(&mut running).await;
        if options.repair && self.shared.routes.stored().await?.route.owner == target {
            let message = format!("`{target}` serves: its rows are not made what another backend's are");
            return Err(Error::invalid_input(message));
        }
        let committed = latest.filter(|latest| {
            latest.phase == Phase::Committed && latest.to == source && latest.from == target
        });
        let id = committed.as_ref().map_or(0, |latest| latest.id);
        let meter = Meter::new(id, source, target, Phase::Verifying);
        let (_wish, signal) = Signal::beside(self.shared.routes.gate());
        let reverse = match std::mem::replace(&mut *running, Running::Nothing) {
            Running::Reverse(reverse) if committed.is_some() => reverse,
            other => {
                *running = other;
                let (source, target) =
                    (self.shared.sides.side(source).await?, self.shared.sides.side(target).await?);
                let catalog = source.database.send(Describe { fresh: true }).await?;
                let tables: Vec<_> = moved(&catalog, &source, &target)
                    .filter(|(_, table)| !table.primary_key.is_empty())
                    .map(|(name, _)| name.clone())
                    .collect();
                all_there(&target, &tables).await?;
                let keys = keys(&catalog, &tables);
                return Comparison::between((source, target), keys, options, &meter, &signal)
                    .run(&tables)
                    .await
                    .map_err(of_no_switch);
            }
        };
        let progress = reverse.meter();
        let (mut follower, _) = reverse.stop().await?;
        let tables = committed.map(|latest| latest.tables).unwrap_or_default();
        let compared = Comparison::of(&mut follower, options, &meter, &signal).run(&tables).await;
        follower.watched = None;
        *running = Running::Reverse(Reverse::spawn(follower, progress));
        compared.map_err(of_no_switch)
    }
}

/// # Errors
/// When the target has not all of these tables: there is nothing to compare.
async fn all_there(target: &Side, tables: &[TableName]) -> Result<()> {
    let there = target.database.send(Describe { fresh: true }).await?;
    let missing: Vec<_> = tables.iter().filter(|table| !there.tables.contains_key(*table)).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let more = missing.len() - 1;
    let others = if more > 0 { format!(" and {more} others") } else { String::new() };
    let message = format!("`{}` has no table {first}{others}: there is nothing to compare", target.name);
    Err(Error::invalid_input(message)
        .with_hint(format!("`truststream switch start {}` brings everything there", target.name)))
}

/// What to do about rows that differ while nothing is switched.
fn of_no_switch(error: Error) -> Error {
    match error.code() {
        "BACKEND_009" => error.with_hint(
            "if the first one named is right, `truststream verify` with `--repair` makes the other the same; what \
             was written in between may be among them",
        ),
        _ => error,
    }
}
