//! What one engine makes of the things of a project.

use std::collections::BTreeMap;
use std::sync::Arc;

use truststream_kernel::{Feature, Features, Service};
use truststream_services::database::{
    AppliedMigration, Cost, DatabaseFeature, DatabaseOp, DatabaseReply, DatabaseService, Problem, Review,
    Weigh,
};

use super::places::{Project, Thing};
use super::{Counts, EngineReport, Finding, Hosting, Kind, Place};
use crate::project_schema::own_migrations;
use crate::providers::Host;
use crate::{ObservedQueries, ObservedQuery, ProjectFiles};

/// Judges all things of a project for one engine.
pub(super) fn judge(
    host: &Host<DatabaseService>,
    files: &ProjectFiles,
    project: &Project,
    observed: &ObservedQueries,
) -> EngineReport {
    let mut report = EngineReport {
        engine: host.name,
        unknown: None,
        counts: indexmap::IndexMap::new(),
        findings: Vec::new(),
    };
    let Some((features, offline)) = &host.built else {
        let feature = host.feature.unwrap_or(host.name);
        report.unknown = Some(format!("not in this build: build with `--features {feature}`"));
        return report;
    };
    let Some(Ok(DatabaseReply::Review(problems))) =
        offline(&DatabaseOp::Review(Review { migrations: all(files) }))
    else {
        report.unknown = Some("what it can't hold is known only when it is connected".to_owned());
        return report;
    };
    let costs = match offline(&DatabaseOp::Weigh(Weigh { catalog: Arc::clone(&project.catalog) })) {
        Some(Ok(DatabaseReply::Weigh(costs))) => costs,
        _ => Vec::new(),
    };
    let mut engine = Engine { features: *features, costs, refused: BTreeMap::new(), report };
    engine.refuse(files, project, &problems);
    for ((kind, name), thing) in &project.things {
        engine.thing(*kind, name, thing);
    }
    for query in &observed.queries {
        engine.query(query);
    }
    engine.report
}

fn all(files: &ProjectFiles) -> Vec<AppliedMigration> {
    let files = files.migrations.iter();
    let files = files.map(|file| AppliedMigration { name: file.name.clone(), sql: file.sql.clone() });
    own_migrations().chain(files).collect()
}

struct Engine {
    features: Features,
    costs: Vec<Cost>,
    /// Why things can't be held.
    refused: BTreeMap<(Kind, String), String>,
    report: EngineReport,
}

impl Engine {
    /// Finds the thing that each problem is about: what its statement makes, or a column that it names.
    fn refuse(&mut self, files: &ProjectFiles, project: &Project, problems: &[Problem]) {
        for problem in problems {
            let Some(file) = files.migrations.iter().find(|file| file.name == problem.migration) else {
                continue;
            };
            let place = Place { file: file.path.display().to_string(), line: problem.line };
            let made: Vec<_> =
                project.things.iter().filter(|(_, thing)| thing.place.as_ref() == Some(&place)).collect();
            let named = made.iter().find(|((kind, name), _)| {
                let column = name.rsplit('.').next().unwrap_or_default();
                *kind == Kind::Column && problem.reason.contains(&format!("\"{column}\""))
            });
            match named.or(made.first()) {
                Some((key, _)) => {
                    let reason = self.refused.entry((*key).clone()).or_default();
                    reason.push_str(if reason.is_empty() { "" } else { "; " });
                    reason.push_str(&problem.reason);
                }
                None => {
                    let (name, reason) = (problem.statement.clone(), problem.reason.clone());
                    self.found(Kind::Statement, &name, Hosting::Impossible, reason, Some(place));
                }
            }
        }
    }

    fn thing(&mut self, kind: Kind, name: &str, thing: &Thing) {
        let place = thing.place.clone();
        if let Some(reason) = self.refused.get(&(kind, name.to_owned())).cloned() {
            return self.found(kind, name, Hosting::Impossible, reason, place);
        }
        let feature = match kind {
            Kind::Policy => Some(DatabaseFeature::Policies),
            Kind::Function => Some(DatabaseFeature::Functions),
            _ => None,
        };
        let lacks = feature.filter(|feature| !self.features.supported().has(*feature));
        if let Some(feature) = lacks {
            let reason = format!("the engine does not support {}", feature.name());
            return self.found(kind, name, Hosting::Impossible, reason, place);
        }
        let word = match (&thing.ty, kind) {
            (Some(ty), _) => Some(Cost::of_type(ty)),
            (None, Kind::View) => Some("views".to_owned()),
            (None, Kind::Trigger) => Some("triggers".to_owned()),
            (None, Kind::Type) => Some("types".to_owned()),
            (None, Kind::Statement) => Some("publications".to_owned()),
            (None, _) => feature.map(|feature| feature.name().to_owned()),
        };
        let cost = word.and_then(|word| self.cost(&word));
        match (cost, feature.is_some_and(|feature| self.features.emulated.has(feature))) {
            (Some(cost), _) => self.found(kind, name, Hosting::Emulated, cost, place),
            (None, true) => {
                self.found(
                    kind,
                    name,
                    Hosting::Emulated,
                    "computed in process on top of the engine".into(),
                    place,
                );
            }
            (None, false) => self.count(kind, Hosting::Native),
        }
    }

    fn query(&mut self, query: &ObservedQuery) {
        let among = |set: truststream_kernel::FeatureSet| {
            let names = set.names(DatabaseService::FEATURES);
            query.needs.iter().filter(|need| names.contains(&need.as_str())).cloned().collect::<Vec<_>>()
        };
        let (supported, emulated) = (among(self.features.supported()), among(self.features.emulated));
        let missing: Vec<_> = query.needs.iter().filter(|need| !supported.contains(need)).cloned().collect();
        let seen = format!("seen {} times", query.count);
        if !missing.is_empty() {
            let reason = format!("the engine does not support {}; {seen}", missing.join(", "));
            return self.found(Kind::Query, &query.shape, Hosting::Impossible, reason, None);
        }
        let lost = self.refused.iter().find(|((kind, name), _)| {
            let name = name.split('(').next().unwrap_or_default();
            matches!(kind, Kind::Table | Kind::View | Kind::Function)
                && query.shape.split([' ', ':']).nth(1) == Some(name)
        });
        if let Some(((_, name), _)) = lost {
            let reason = format!("{name} can't be hosted; {seen}");
            return self.found(Kind::Query, &query.shape, Hosting::Impossible, reason, None);
        }
        if emulated.is_empty() {
            return self.count(Kind::Query, Hosting::Native);
        }
        let costs = emulated.iter().map(|feature| {
            self.cost(feature).unwrap_or_else(|| "computed in process on top of the engine".to_owned())
        });
        let reason = format!("{}: {}; {seen}", emulated.join(", "), costs.collect::<Vec<_>>().join("; "));
        self.found(Kind::Query, &query.shape, Hosting::Emulated, reason, None);
    }

    fn cost(&self, of: &str) -> Option<String> {
        self.costs.iter().find(|cost| cost.of == of).map(|cost| cost.words.clone())
    }

    fn count(&mut self, kind: Kind, hosting: Hosting) {
        let counts: &mut Counts = self.report.counts.entry(kind.plural()).or_default();
        match hosting {
            Hosting::Native => counts.native += 1,
            Hosting::Emulated => counts.emulated += 1,
            Hosting::Impossible => counts.impossible += 1,
        }
    }

    fn found(&mut self, kind: Kind, name: &str, hosting: Hosting, reason: String, place: Option<Place>) {
        self.count(kind, hosting);
        self.report.findings.push(Finding { kind, name: name.to_owned(), hosting, reason, place });
    }
}
