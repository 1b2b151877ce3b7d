//! Reads of a part before its writes move: compared on both sides, then a growing share of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truststream_kernel::Result;
use truststream_services::database::{Describe, TableKind};

use super::among::{HEARD, Looks};
use super::known::is_of_a_service;
use super::trial::Trial;
use super::{Conduct, LONGER, PartPhase, ReadReport, SHARES, Shown, WAIT};
use crate::ambient::new_name;
use crate::machine::Part;

impl Conduct<'_> {
    /// Has both sides asked for reads of a part, or of what is not in any, and lets the target answer
    /// a growing share of them; on every gateway where there are several.
    pub(super) async fn try_reads(&mut self, part: Option<&Part>) -> Result<ReadReport> {
        let sample = self.record.options.reads.sample;
        let trial = self.shared.trial(self.forward, &self.division, part, sample).await?;
        let name = new_name();
        let several = self.shared.routes.is_one_of_several();
        let trial = Arc::new(if several { trial.among(name.clone()) } else { trial });
        let mut shown = several.then(|| Shown {
            name,
            switch: self.record.id,
            part: part.map(|part| part.name.clone()),
            share: 0,
        });
        let looks = match shown {
            Some(_) => self.shared.looks(&trial, self.record, &self.division).await?,
            None => Looks::none(),
        };
        let on = self.shared.reads.begin(&trial, looks);
        let name = part.map_or("the rest", |part| part.name.as_str());
        let steps = self.steps(&trial, name, &mut shown).await;
        drop(on);
        let mut report = trial.report();
        report.kept = report.proves_nothing();
        if steps.is_err() {
            self.record.report.reads = Some(report.clone());
        }
        steps?;
        if several {
            self.shared.records.hide_trial().await?;
        }
        Ok(report)
    }

    async fn steps(&mut self, trial: &Trial, name: &str, shown: &mut Option<Shown>) -> Result<()> {
        let options = self.record.options.reads;
        let step = Duration::from_millis(options.step_ms);
        self.meter.note(format!("reads are compared on both sides: {name}"));
        if let Some(shown) = shown {
            self.shared.records.show_trial(shown).await?;
        }
        self.follow_for(Some(trial), step).await?;
        let began = Instant::now();
        while began.elapsed() < step * LONGER && !self.is_wanted_elsewhere() {
            let (compared, enough) = (trial.report().compared(), options.comparisons);
            if compared >= enough {
                break;
            }
            self.meter.note(format!("{compared} of {enough} reads compared on both sides: {name}"));
            self.follow_for(Some(trial), WAIT).await?;
        }
        self.hear(trial).await?;
        let found = trial.report();
        if found.proves_nothing() {
            self.keep_reads(&found, name);
            return Ok(());
        }
        for share in SHARES {
            if self.is_wanted_elsewhere() {
                break;
            }
            trial.serve(share);
            if let Some(shown) = shown {
                shown.share = share;
                self.shared.records.show_trial(shown).await?;
            }
            self.phase(name, PartPhase::Sharing).await?;
            self.meter.note(format!("{} answers {share} of 100 reads: {name}", self.forward.target.name));
            self.follow_for(Some(trial), step).await?;
        }
        self.hear(trial).await
    }

    /// The target answers no read before it has the writes: that it would answer right is known by the
    /// comparison of rows alone.
    fn keep_reads(&self, found: &ReadReport, name: &str) {
        let target = &self.forward.target.name;
        let note = format!(
            "no read of {name} could be compared, their rows changed too often while both sides were asked ({} \
             times): {target} answers none before it takes the writes",
            found.undecided
        );
        tracing::warn!(note, "reads stay where they are");
        self.meter.note(note);
    }

    /// Goes on until what other gateways found by now is known.
    async fn hear(&mut self, trial: &Trial) -> Result<()> {
        if trial.among.is_some() {
            self.follow_for(Some(trial), HEARD).await?;
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
