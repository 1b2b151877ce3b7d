//! What can't be counted as it happens: how things stand when somebody looks.

use metrics::gauge;
use truststream_switch::{MirrorStatus, Phase, Progress, Record};

use crate::Runtime;

impl Runtime {
    /// Brings the gauges up to date, for whoever is about to read them.
    pub async fn measure(&self) {
        let route = self.route();
        gauge!("truststream_route_epoch").set(route.epoch as f64);
        gauge!("truststream_route_fenced").set(f64::from(u8::from(route.is_held())));
        for name in self.config().file.backend.keys() {
            let serves = f64::from(u8::from(*name == route.owner));
            gauge!("truststream_backend_serves", "backend" => name.clone()).set(serves);
        }
        if let Some(mirror) = self.mirrors().status() {
            of_mirror(&mirror);
        }
        if let Ok(failovers) = self.mirrors().failovers().await {
            gauge!("truststream_failovers").set(failovers.len() as f64);
        }
        if let Ok(Some(record)) = self.switcher().latest().await {
            of_switch(&record);
        }
        if let Some(progress) = self.switcher().watch().map(|progress| progress.borrow().clone()) {
            of_progress(&progress);
        }
    }
}

fn of_mirror(mirror: &MirrorStatus) {
    let labels = [("from", mirror.from.clone()), ("to", mirror.to.clone())];
    gauge!("truststream_mirror_behind_writes", &labels).set(mirror.behind_writes as f64);
    gauge!("truststream_mirror_behind_seconds", &labels).set(mirror.behind_ms as f64 / 1000.0);
    gauge!("truststream_mirror_changes", &labels).set(mirror.changes as f64);
    gauge!("truststream_mirror_rows_copied", &labels).set(mirror.rows as f64);
    gauge!("truststream_mirror_fit", &labels).set(f64::from(u8::from(mirror.is_fit())));
}

fn of_switch(record: &Record) {
    for phase in Phase::ALL {
        let present = f64::from(u8::from(phase == record.phase));
        gauge!("truststream_switch_phase", "phase" => phase.name()).set(present);
    }
    for pair in record.history.windows(2) {
        let seconds = pair[1].1.saturating_sub(pair[0].1) as f64 / 1000.0;
        gauge!("truststream_switch_phase_seconds", "phase" => pair[0].0.name()).set(seconds);
    }
    gauge!("truststream_switch_rows_copied").set(record.report.rows as f64);
    gauge!("truststream_switch_changes").set(record.report.changes as f64);
    gauge!("truststream_switch_changes_back").set(record.report.changes_back as f64);
    gauge!("truststream_switch_objects").set(record.report.objects as f64);
    // Those of the switch before are not this one's.
    let flip = record.report.flips.last();
    gauge!("truststream_switch_pause_seconds").set(flip.map_or(0.0, |flip| flip.pause_ms / 1000.0));
    gauge!("truststream_switch_held_writes").set(flip.map_or(0.0, |flip| flip.held as f64));
    gauge!("truststream_switch_attempts").set(flip.map_or(0.0, |flip| f64::from(flip.attempts)));
}

fn of_progress(progress: &Progress) {
    gauge!("truststream_switch_lag_changes").set(progress.lag as f64);
    gauge!("truststream_switch_rows_done").set(progress.rows_done as f64);
    gauge!("truststream_switch_rows_total").set(progress.rows_total as f64);
}
