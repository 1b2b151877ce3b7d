//! What can be done with a switch as it stands.

use truststream_switch::{Phase, Record};

use super::status_text::until;

/// A line that names the commands which go on from here; empty where nothing is left to do.
pub fn next_step(record: &Record) -> String {
    let said = match record.phase {
        Phase::Finalized | Phase::Aborted => return String::new(),
        _ if record.mirror => return String::new(),
        Phase::RolledBack => "`truststream switch finalize` removes what was installed for it".to_owned(),
        _ if record.paused => {
            "`truststream switch resume` goes on, `truststream switch abort` gives it up".to_owned()
        }
        Phase::Ready if record.options.by_hand => by_hand(record),
        phase if phase.is_before_commit() => {
            "`truststream switch pause` stops it for a while, `truststream switch abort` gives it up"
                .to_owned()
        }
        Phase::Committed => format!(
            "`truststream switch back` returns to {} with everything written since, `truststream switch finalize` \
             closes that way{}",
            record.from,
            record
                .closes_at_ms()
                .map_or(String::new(), |at| format!("; it closes by itself in {}", until(at)))
        ),
        Phase::Aborting => "`truststream switch abort` tries again where cleaning up failed".to_owned(),
        Phase::Finalizing => "`truststream switch finalize` tries again where cleaning up failed".to_owned(),
        _ => "`truststream switch status` shows how far it is".to_owned(),
    };
    format!("  next      {said}\n")
}

/// Parts wait to be asked for.
fn by_hand(record: &Record) -> String {
    let part = match &record.options.tenants {
        Some(_) => "tenant:VALUE",
        None => "PART",
    };
    format!(
        "`truststream switch move {part}` moves a part to {}, `truststream switch back {part}` returns it, \
         `truststream switch move all` moves the rest",
        record.to
    )
}

#[cfg(test)]
mod tests {
    use truststream_switch::{Flip, Options};

    use super::*;

    fn said(phase: Phase, change: impl FnOnce(&mut Record)) -> String {
        let mut record = Record::new(1, "main", "cloud", Options::default());
        record.phase = phase;
        change(&mut record);
        next_step(&record)
    }

    #[test]
    fn every_standing_names_its_own_commands() {
        assert!(said(Phase::Copying, |_| {}).contains("switch abort"));
        assert!(said(Phase::Copying, |record| record.paused = true).contains("switch resume"));
        assert!(said(Phase::Ready, |record| record.options.by_hand = true).contains("switch move PART"));
        assert!(said(Phase::Committed, |_| {}).contains("switch back` returns to main"));
        let limited = said(Phase::Committed, |record| {
            record.options.rollback_window_ms = Some(5_400_000);
            let (from, to) = ("main".to_owned(), "cloud".to_owned());
            let flip = Flip { from, to, at_ms: record.history[0].1, pause_ms: 1.0, held: 0, attempts: 1 };
            record.report.flips.push(flip);
        });
        assert!(limited.contains("it closes by itself in 1 h"), "{limited}");
        assert_eq!(said(Phase::Following, |record| record.mirror = true), "");
        assert_eq!(said(Phase::Finalized, |_| {}), "");
    }
}
