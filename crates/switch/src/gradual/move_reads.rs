//! Reads of a part before its writes move: compared on both sides, then a growing share of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truststream_kernel::Result;
use truststream_services::database::{Describe, TableKind};

use super::known::is_of_a_service;
use super::trial::Trial;
use super::{Conduct, LONGER, PartPhase, ReadReport, SHARES, WAIT};
use crate::machine::Part;

impl Conduct<'_> {
    /// Has both sides asked for reads of a part, or of what is not in any, and lets the target answer
    /// a growing share of them.
    pub(super) async fn try_reads(&mut self, part: Option<&Part>) -> Result<ReadReport> {
        let catalog = self.forward.source.database.send(Describe::default()).await?;
        let (source, target) = (self.forward.source.database.stack(), self.forward.target.database.stack());
        let options = self.record.options.reads;
        let mut trial =
            Trial::new(Arc::clone(source), Arc::clone(target), catalog, options.sample.clamp(1, 100));
        let moved = self.moved();
        let named = |part: &Part| part.tables.iter().chain(&part.views).cloned().collect::<Vec<_>>();
        trial = match part {
            Some(part) => trial.only(named(part)),
            None => trial.without(moved.iter().flat_map(named)),
        };
        let trial = Arc::new(trial);
        let on = self.shared.reads.begin(&trial);
        let name = part.map_or("the rest", |part| part.name.as_str());
        let steps = self.steps(&trial, name).await;
        drop(on);
        let report = trial.tally.lock().report();
        if steps.is_err() {
            self.record.report.reads = Some(report.clone());
        }
        steps.map(|()| report)
    }

    async fn steps(&mut self, trial: &Trial, name: &str) -> Result<()> {
        let options = self.record.options.reads;
        let step = Duration::from_millis(options.step_ms);
        self.meter.note(format!("reads are compared on both sides: {name}"));
        let enough = || trial.tally.lock().compared() >= options.comparisons;
        self.follow_for(Some(trial), step).await?;
        let began = Instant::now();
        while !enough() && began.elapsed() < step * LONGER && !self.is_wanted_elsewhere() {
            self.follow_for(Some(trial), WAIT).await?;
        }
        // Of what was written through another gateway nothing is known here.
        for share in SHARES.into_iter().filter(|_| !self.shared.routes.is_one_of_several()) {
            if self.is_wanted_elsewhere() {
                break;
            }
            trial.serve(share);
            self.phase(name, PartPhase::Sharing).await?;
            self.meter.note(format!("{} answers {share} of 100 reads: {name}", self.forward.target.name));
            self.follow_for(Some(trial), step).await?;
        }
        Ok(())
    }

    /// Whether anything is left that clients read, and that no part has.
    pub(super) async fn has_a_rest(&self) -> Result<bool> {
        let catalog = self.forward.source.database.send(Describe::default()).await?;
        let is_named = |name| {
            let parts = &self.division.parts;
            parts.iter().any(|part| part.tables.contains(name) || part.views.contains(name))
        };
        let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
        Ok(tables.map(|(name, _)| name).any(|name| !is_of_a_service(name) && !is_named(name)))
    }
}
