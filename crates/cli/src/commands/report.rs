//! `truststream report`

use clap::{Args, Subcommand};
use serde_json::json;
use truststream_kernel::Error;
use truststream_runtime::portability::{Counts, EngineReport, Finding, Hosting, Kind, portability};
use truststream_runtime::{ObservedQueries, ProjectFiles};

use crate::Common;
use crate::client::AdminClient;
use crate::failure::Done;
use crate::text::table;

/// What can be told of a project.
#[derive(Subcommand)]
pub enum ReportCommand {
    /// Show what of the project each engine runs natively, emulates (and what that costs) or can't host
    ///
    /// Read from the migration files, without any database. Queries are those that the gateway which
    /// runs for the project has answered; only their shapes are kept, never a value.
    #[command(
        after_help = "Examples:\n  truststream report portability\n  truststream report portability --to sqlite\n  truststream report portability --to mongodb --json"
    )]
    Portability(Portability),
}

/// Judges the project for each engine.
#[derive(Args)]
pub struct Portability {
    /// Only this engine, with all details
    #[arg(long, value_name = "ENGINE")]
    to: Option<String>,
}

impl ReportCommand {
    pub async fn run(&self, common: &Common) -> Done {
        let ReportCommand::Portability(portability) = self;
        portability.run(common).await
    }
}

impl Portability {
    async fn run(&self, common: &Common) -> Done {
        let files = ProjectFiles::find(&common.project)?;
        let observed = observed(common).await?;
        let mut engines = portability(&files, observed.as_ref().unwrap_or(&ObservedQueries::default()))?;
        if let Some(to) = &self.to {
            let names = engines.iter().map(|engine| engine.engine).collect::<Vec<_>>().join(", ");
            engines.retain(|engine| engine.engine == to);
            if engines.is_empty() {
                let error = Error::configuration(format!("there is no engine \"{to}\""));
                return Err(error.with_hint(format!("there are {names}")).into());
            }
        }
        if common.json {
            println!("{}", json!({ "queries_observed": observed.is_some(), "engines": engines }));
            return Ok(());
        }
        let alike = alike(&engines);
        print!("{}", picture(&alike));
        if observed.is_none() {
            println!("\nno gateway runs for this project, so no queries were observed");
        }
        for group in &alike {
            print!("{}", details(group, self.to.is_some()));
        }
        for engine in &engines {
            if let Some(reason) = &engine.unknown {
                println!("\n{}: {reason}", engine.engine);
            }
        }
        Ok(())
    }
}

/// Engines that host everything in the same way.
struct Alike<'r> {
    /// Their names: `sqlite, memory`.
    names: String,
    report: &'r EngineReport,
}

/// The engines that something is known of, those that are alike together.
fn alike(engines: &[EngineReport]) -> Vec<Alike<'_>> {
    let mut alike: Vec<Alike<'_>> = Vec::new();
    for report in engines.iter().filter(|report| report.unknown.is_none()) {
        let same = |one: &&mut Alike<'_>| {
            one.report.counts == report.counts && one.report.findings == report.findings
        };
        match alike.iter_mut().find(same) {
            Some(known) => known.names.push_str(&format!(", {}", report.engine)),
            None => alike.push(Alike { names: report.engine.to_owned(), report }),
        }
    }
    alike
}

/// What the gateway has answered, if one runs.
async fn observed(common: &Common) -> Done<Option<ObservedQueries>> {
    let Ok(client) = AdminClient::find(common) else { return Ok(None) };
    // The file of a gateway that was killed names one that answers no more.
    let Ok(told) = client.get("queries").await else { return Ok(None) };
    let read = serde_json::from_value(told);
    Ok(Some(read.map_err(|error| Error::internal("the gateway's queries can't be read").with_source(error))?))
}

/// Engines by kinds: how many run natively, are emulated, and can't be hosted.
fn picture(engines: &[Alike<'_>]) -> String {
    let counted =
        |kind: &&Kind| engines.iter().any(|engine| engine.report.counts.contains_key(kind.plural()));
    let kinds: Vec<&str> = Kind::ALL.iter().filter(counted).map(|kind| kind.plural()).collect();
    let rows = engines.iter().map(|engine| {
        let cells =
            kinds.iter().map(|kind| cell(engine.report.counts.get(kind).copied().unwrap_or_default()));
        std::iter::once(engine.names.clone()).chain(cells).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let header: Vec<&str> = std::iter::once("engine").chain(kinds).collect();
    format!("{}\n  native, ~ emulated, ! can't be hosted\n", table(&header, &rows))
}

fn cell(counts: Counts) -> String {
    let marks = [("", counts.native), ("~", counts.emulated), ("!", counts.impossible)];
    let told = marks.iter().filter(|(_, count)| *count > 0).map(|(mark, count)| format!("{mark}{count}"));
    let told = told.collect::<Vec<_>>().join(" ");
    if told.is_empty() { "·".to_owned() } else { told }
}

/// What can't be hosted, each with its place; what is emulated one by one only if asked for.
fn details(Alike { names, report }: &Alike<'_>, all: bool) -> String {
    let mut text = String::new();
    let of = |hosting| report.findings.iter().filter(move |finding| finding.hosting == hosting);
    let (lost, emulated): (Vec<_>, Vec<_>) =
        (of(Hosting::Impossible).collect(), of(Hosting::Emulated).collect());
    if lost.is_empty() && emulated.is_empty() {
        return format!("\n{names}: everything runs natively\n");
    }
    text.push_str(&format!("\n{names}\n"));
    for finding in lost {
        text.push_str(&format!("  ! {}\n", line(finding)));
    }
    let mut told: Vec<&str> = Vec::new();
    for finding in &emulated {
        if all {
            text.push_str(&format!("  ~ {}\n", line(finding)));
        } else if !told.contains(&finding.reason.as_str()) {
            told.push(&finding.reason);
            let same =
                emulated.iter().filter(|other| other.reason == finding.reason && other.kind == finding.kind);
            let what = finding.kind.counted(same.count());
            text.push_str(&format!("  ~ {what}: {}\n", finding.reason));
        }
    }
    text
}

fn line(finding: &Finding) -> String {
    let place = finding.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!(" ({}:{})", place.file, place.line));
    format!("{}{place}: {}", finding.name, finding.reason)
}
