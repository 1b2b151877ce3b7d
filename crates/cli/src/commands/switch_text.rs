//! What switches did and would do, as text.

use serde_json::Value as Json;
use truststream_switch::{PartReport, Phase, Progress, ReadReport, Record, Rehearsal, StrayLog, TableReport};

use super::next_step::next_step;
use crate::failure::Done;
use crate::progress::describe;
use crate::text::{bytes, table, thousands};

/// What a switch would do.
pub fn print_plan(plan: &Json, as_json: bool) -> Done {
    if as_json {
        println!("{plan}");
        return Ok(());
    }
    let count = |name: &str| plan[name].as_array().map_or(0, Vec::len);
    let number = |name: &str| plan[name].as_u64().unwrap_or_default();
    let objects = if plan["moves_objects"] == true {
        format!("{} files (about {}) move too", thousands(number("objects")), bytes(number("object_bytes")))
    } else {
        "files are shared and stay".to_owned()
    };
    println!(
        "{} → {}: {} tables, {} rows; {objects}",
        plan["from"].as_str().unwrap_or_default(),
        plan["to"].as_str().unwrap_or_default(),
        count("tables"),
        thousands(number("rows")),
    );
    for first in plan["first"].as_array().into_iter().flatten() {
        println!("first: {}", first.as_str().unwrap_or_default());
    }
    println!(
        "about {} of rows; reading them once takes {:.1} s (`truststream switch rehearse` measures a copy)",
        bytes(number("bytes")),
        plan["read_seconds"].as_f64().unwrap_or_default(),
    );
    if let [first, others @ ..] = plan["stay"].as_array().map(Vec::as_slice).unwrap_or_default() {
        println!(
            "stay where they are: {}.{} and {} more tables of a platform, which no service here reads",
            first["schema"].as_str().unwrap_or_default(),
            first["name"].as_str().unwrap_or_default(),
            others.len()
        );
    }
    let to = plan["to"].as_str().unwrap_or_default();
    for feature in plan["missing"].as_array().into_iter().flatten() {
        println!("not on {to}: requests that need {}", feature.as_str().unwrap_or_default());
    }
    for cost in plan["emulated"].as_array().into_iter().flatten() {
        let text = |name: &str| cost[name].as_str().unwrap_or_default();
        let how = if cost["partial"] == true { "not everything is held" } else { "emulated" };
        println!("{how} on {to}: {}: {}", text("of"), text("words"));
    }
    let from = plan["from"].as_str().unwrap_or_default();
    for cost in plan["way_back"].as_array().into_iter().flatten() {
        let text = |name: &str| cost[name].as_str().unwrap_or_default();
        println!("on the way back to {from}: {}: {}", text("of"), text("words"));
    }
    for side in plan["not_closed"].as_array().into_iter().flatten() {
        println!(
            "{} can't refuse what is written to its database directly; that is seen and set down (--stray)",
            side.as_str().unwrap_or_default()
        );
    }
    match plan["problems"].as_array().filter(|problems| !problems.is_empty()) {
        None if count("first") > 0 => println!("nothing else stands in the way"),
        None => println!("nothing stands in the way; start it with `truststream switch start {to}`"),
        Some(problems) => {
            println!("in the way:");
            for problem in problems {
                println!(
                    "  {}: {}",
                    problem["statement"].as_str().unwrap_or_default(),
                    problem["reason"].as_str().unwrap_or_default()
                );
            }
        }
    }
    Ok(())
}

/// What trying one showed.
pub fn print_rehearsal(shown: &Json, as_json: bool) -> Done {
    if as_json {
        println!("{shown}");
        return Ok(());
    }
    print_plan(&shown["plan"], false)?;
    let Ok(tried) = serde_json::from_value::<Rehearsal>(shown.clone()) else { return Ok(()) };
    if !tried.plan.problems.is_empty() {
        return Ok(());
    }
    println!(
        "tried {} rows and {} files: copies {} rows/s, compares {} rows/s; all of it ({}) in about {:.0} s",
        thousands(tried.rows),
        thousands(tried.files),
        thousands(tried.copied_per_second as u64),
        thousands(tried.verified_per_second as u64),
        bytes(tried.bytes + tried.plan.object_bytes),
        tried.seconds.ceil(),
    );
    for one in &tried.refused {
        println!(
            "in the way: {} can't hold row {} of {}: {}; change it, and rehearse again",
            tried.plan.to, one.row, one.table, one.reason
        );
    }
    if tried.altered.is_empty() {
        let which = if tried.refused.is_empty() { "every value tried" } else { "all else that was tried" };
        println!("{which} came back as it was");
        return Ok(());
    }
    println!("not kept exactly by {}, nor after the way back:", tried.plan.to);
    for one in &tried.altered {
        let (rows, name) = (thousands(one.rows), format!("{}.{}", one.table, one.column));
        println!("  {name} in {rows} rows: {} came back as {}", one.sent, one.received);
    }
    Ok(())
}

/// The report of a switch: JSON as it is stored, or text.
pub fn print_record(record: &Record, shown: &Json, as_json: bool) {
    if as_json {
        println!("{shown}");
    } else {
        print!("{}", report(record));
        print!("{}", now(record, shown));
        if let Ok(strays) = serde_json::from_value::<StrayLog>(shown["strays"].clone()) {
            print!("{}", strays_of(record, &strays));
        }
        print!("{}", next_step(record));
    }
}

/// How far a switch that is under way is at this moment.
fn now(record: &Record, shown: &Json) -> String {
    match serde_json::from_value::<Progress>(shown["progress"].clone()) {
        Ok(progress) => {
            standing(record, &progress).map_or(String::new(), |said| format!("  now       {said}\n"))
        }
        Err(_) => String::new(),
    }
}

/// How far a switch is, in words; none where it is over, or the progress is that of another one.
pub fn standing(record: &Record, progress: &Progress) -> Option<String> {
    let is_under_way = record.phase.is_before_commit() || record.phase == Phase::FencingBack;
    let is_of_it = progress.id == record.id && progress.phase == record.phase && !record.paused;
    let said = describe(progress);
    (is_under_way && is_of_it && !said.is_empty()).then_some(said)
}

/// Which switch it is and how far.
pub fn heading(record: &Record) -> String {
    let paused = if record.paused { ", paused" } else { "" };
    format!("switch {}: {} → {}, {}{paused}\n", record.id, record.from, record.to, record.phase.name())
}

/// What was written directly to the database that served before.
fn strays_of(record: &Record, strays: &StrayLog) -> String {
    if strays.seen == 0 && strays.gaps == 0 {
        return String::new();
    }
    let mut text = format!(
        "  strays    {} changes written directly to {}: {} applied to {}, {} kept back\n",
        thousands(strays.seen),
        record.from,
        thousands(strays.forwarded),
        record.to,
        thousands(strays.kept_in_all),
    );
    if strays.gaps > 0 {
        text.push_str("            what was written while its changes were trimmed is not known\n");
    }
    if let Some(failure) = &strays.failure {
        text.push_str(&format!("            {} could not take them: {failure}\n", record.to));
    }
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for change in &strays.kept {
        *counts.entry(format!("{:?} in {}", change.kind, change.table).to_lowercase()).or_default() += 1;
    }
    for (what, count) in counts {
        text.push_str(&format!(
            "            kept back: {} {what} (all of it with --json)\n",
            thousands(count)
        ));
    }
    text
}

/// The report of a switch as text.
pub fn report(record: &Record) -> String {
    let report = &record.report;
    let mut text = heading(record);
    text.push_str(&format!(
        "  copied    {} rows ({}), {} files ({})\n",
        thousands(report.rows),
        bytes(report.bytes),
        thousands(report.objects),
        bytes(report.object_bytes)
    ));
    text.push_str(&format!(
        "  followed  {} changes there, {} back\n",
        thousands(report.changes),
        thousands(report.changes_back)
    ));
    if let Some(reads) = &report.reads {
        text.push_str(&reads_of(record, reads));
    }
    text.push_str(&parts_of(record));
    for flip in &report.flips {
        text.push_str(&format!(
            "  flip      {} → {}: writes held for {:.1} ms, {} of them waited\n",
            flip.from, flip.to, flip.pause_ms, flip.held
        ));
    }
    if !report.tables.is_empty() {
        text.push_str("  verified\n");
        text.push_str(&compared("  ", &report.tables));
    }
    if let Some(failure) = &report.failure {
        text.push_str(&format!("  ended     {failure}\n"));
    }
    if let Some(advice) = &report.advice {
        text.push_str(&format!("            {advice}\n"));
    }
    text
}

/// The parts of a gradual switch and how far each of them is.
fn parts_of(record: &Record) -> String {
    if record.report.parts.is_empty() {
        return String::new();
    }
    let row = |part: &PartReport| {
        let reads = part.reads.as_ref();
        let pauses = part.flips.iter().map(|flip| format!("{:.1} ms to {}", flip.pause_ms, flip.to));
        vec![
            format!("  {}", part.name),
            part.phase.name().to_owned(),
            thousands(part.tables.len() as u64),
            reads.map_or_else(String::new, |reads| thousands(reads.equal)),
            reads.map_or_else(String::new, |reads| thousands(reads.served)),
            pauses.collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<_> = record.report.parts.iter().map(row).collect();
    let target = format!("read from {}", record.to);
    let mut text = table(&["  part", "phase", "tables", "alike", &target, "writes held"], &rows);
    let kept_ones =
        record.report.parts.iter().filter(|part| part.reads.as_ref().is_some_and(|reads| reads.kept));
    kept_ones.for_each(|part| text.push_str(&kept("  ", &record.to, &part.name)));
    text
}

/// What there is to know of reads that were not moved.
fn kept(indent: &str, target: &str, name: &str) -> String {
    format!(
        "{indent}no read of {name} could be compared, its rows changed too often: {target} answered none before it took the writes\n"
    )
}

/// What became of reads before the flip.
fn reads_of(record: &Record, reads: &ReadReport) -> String {
    let ms = |[median, most]: [f64; 2]| format!("{median:.1} ms (95%: {most:.1} ms)");
    let mut text = format!(
        "  reads     {} answered alike, {} undecided, {} not comparable; {} answered by {}\n            {} took {}, {} took {}\n",
        thousands(reads.equal),
        thousands(reads.undecided),
        thousands(reads.not_compared),
        thousands(reads.served),
        record.to,
        record.from,
        ms(reads.source_ms),
        record.to,
        ms(reads.target_ms),
    );
    if reads.kept {
        text.push_str(&kept("  ", &record.to, "the rest"));
    }
    for different in &reads.different {
        let (count, how) = (thousands(different.count), &different.how);
        text.push_str(&format!("            DIFFERENT {count} times, {how}: {}\n", different.shape));
    }
    text
}

/// What was compared, as a table.
pub fn compared(indent: &str, tables: &[TableReport]) -> String {
    let row = |name: String, count, source: &str, target: &str| {
        let same = if source == target { "equal" } else { "DIFFERENT" };
        vec![format!("{indent}{name}"), thousands(count), source.to_owned(), same.to_owned()]
    };
    let mut rows = Vec::new();
    for table in tables {
        rows.push(row(table.table.to_string(), table.rows, &table.source, &table.target));
        if let Some(files) = &table.objects {
            let name = format!("  its files ({})", bytes(files.bytes));
            rows.push(row(name, files.count, &files.source, &files.target));
        }
    }
    table(&[&format!("{indent}table"), "rows", "checksum", "both sides"], &rows)
}
