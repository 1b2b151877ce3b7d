//! What is persisted of a switch, and what is reported of it.

use serde::{Deserialize, Serialize};
use truststream_services::database::{Position, TableName};

use crate::ambient::now_ms;
use crate::definitions::Definitions;
use crate::gradual::{PartReport, ReadOptions, ReadReport, TenantOptions};
use crate::machine::{Phase, Strategy};

/// How a switch is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// In which order writes are held and rows are copied.
    pub strategy: Strategy,
    /// Most rows in a chunk of the copy; wide rows come in smaller chunks.
    pub chunk: usize,
    /// Longest pause of writes, in milliseconds; past it the fence is lifted and tried again later.
    pub max_pause_ms: u64,
    /// How long one write waits in a pause before it is refused, in milliseconds; as configured if
    /// absent.
    pub hold_ms: Option<u64>,
    /// What is compared before the target serves.
    pub verify: Verify,
    /// Rows that differ are made on the target what they are on the source, instead of stopping.
    pub repair: bool,
    /// Share of its time that the copy may work, in percent.
    pub throttle: u8,
    /// The copy waits while the source takes longer than this to answer, in milliseconds.
    pub max_latency_ms: Option<u64>,
    /// How much longer than usual the application's median write may take while rows are copied and
    /// compared, in percent; beyond it they rest.
    pub max_slowdown: u16,
    /// How long the way back stays open after the flip, in milliseconds; until somebody closes it if absent.
    pub rollback_window_ms: Option<u64>,
    /// What becomes of writes to the database of the side that served before.
    pub stray: Stray,
    /// How reads are moved, where they are before the flip.
    pub reads: ReadOptions,
    /// Parts move when the operator asks for it, not one after the other.
    pub by_hand: bool,
    /// Tenants are the parts, each moved when the operator asks for it.
    pub tenants: Option<TenantOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            strategy: Strategy::default(),
            chunk: 20_000,
            max_pause_ms: 1000,
            hold_ms: None,
            verify: Verify::default(),
            repair: false,
            throttle: 100,
            max_latency_ms: None,
            max_slowdown: 20,
            rollback_window_ms: None,
            stray: Stray::default(),
            reads: ReadOptions::default(),
            by_hand: false,
            tenants: None,
        }
    }
}

/// What becomes of what is written directly to the database that served before, past TrustStream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stray {
    /// It is refused by the database. Where the engine can't do that, as [`Stray::Quarantine`].
    #[default]
    Refuse,
    /// It is kept there and applied to the side that serves.
    Forward,
    /// It is kept there and set down for the operator.
    Quarantine,
}

/// What is compared before a side serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nothing.
    None,
    /// One row in sixteen, chosen by its key.
    Sample,
    /// Every row.
    #[default]
    Full,
}

/// A place in a copy: rows up to here are in the target, and durable there, or shall be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copied {
    /// The table; those before it are done.
    pub table: TableName,
    /// Text of the key of the last row.
    pub after: Vec<String>,
}

/// A switch as the control store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Number of the switch, from 1.
    pub id: u64,
    /// The backend that served when it began.
    pub from: String,
    /// The backend to move to.
    pub to: String,
    /// Where it stands.
    pub phase: Phase,
    /// How it is made.
    pub options: Options,
    /// Stopped by the operator until resumed.
    #[serde(default)]
    pub paused: bool,
    /// It goes on following for good, and changes no route: a mirror.
    #[serde(default)]
    pub mirror: bool,
    /// The stream it goes on with, if another one brought its target up.
    #[serde(default)]
    pub stream: Option<String>,
    /// Tables that are moved.
    pub tables: Vec<TableName>,
    /// What the side that served was defined by when the switch began, and so what is moved.
    #[serde(default)]
    pub defined: Option<Definitions>,
    /// The same of the other side before it serves: what the way back moves.
    #[serde(default)]
    pub defined_there: Option<Definitions>,
    /// How far the copy is, for whoever goes on with it.
    #[serde(default)]
    pub copied: Option<Copied>,
    /// The greatest key of each table that held rows when the copy began: how far it goes.
    #[serde(default)]
    pub bounds: Option<Vec<Copied>>,
    /// Tables that were compared, for whoever goes on with comparing.
    #[serde(default)]
    pub compared: Vec<TableReport>,
    /// Where the feed that is being followed begins: the source's before the commit, the target's
    /// after it.
    pub feed_start: Option<Position>,
    /// Every phase and when it began, in milliseconds since 1970.
    pub history: Vec<(Phase, u64)>,
    /// What was done, so far.
    pub report: Report,
}

impl Record {
    /// A new switch.
    pub fn new(id: u64, from: &str, to: &str, options: Options) -> Self {
        Record {
            id,
            from: from.to_owned(),
            to: to.to_owned(),
            phase: Phase::Planned,
            options,
            paused: false,
            mirror: false,
            stream: None,
            tables: Vec::new(),
            defined: None,
            defined_there: None,
            copied: None,
            bounds: None,
            compared: Vec::new(),
            feed_start: None,
            history: vec![(Phase::Planned, now_ms())],
            report: Report::default(),
        }
    }

    /// Enters a phase.
    pub fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.history.push((phase, now_ms()));
    }

    /// When its way back closes by itself, in milliseconds since 1970.
    pub fn closes_at_ms(&self) -> Option<u64> {
        let window = self.options.rollback_window_ms.filter(|_| self.phase == Phase::Committed)?;
        Some(self.report.flips.last()?.at_ms.saturating_add(window))
    }

    /// Name under which this switch has changes captured on both sides.
    pub fn consumer(&self) -> String {
        let kind = if self.mirror { "mirror" } else { "switch" };
        format!("{kind}-{}", self.id)
    }

    /// How the names of this switch's streams begin.
    pub fn streams(&self) -> String {
        format!("{}/", self.consumer())
    }

    /// Name of the stream that brings the source's changes to the target.
    pub fn forward(&self) -> String {
        self.stream.clone().unwrap_or_else(|| format!("{}/forward", self.consumer()))
    }

    /// Name of the stream that brings the target's changes back to the source.
    pub fn backward(&self) -> String {
        format!("{}/backward", self.consumer())
    }
}

/// What a switch did: the part that people keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Rows copied, by table.
    pub tables: Vec<TableReport>,
    /// Rows copied in all.
    pub rows: u64,
    /// Bytes of the copied rows in their canonical form.
    pub bytes: u64,
    /// Objects moved.
    pub objects: u64,
    /// Bytes of the objects moved.
    pub object_bytes: u64,
    /// Changes applied while following.
    pub changes: u64,
    /// What became of reads before the flip, where they were moved gradually.
    #[serde(default)]
    pub reads: Option<ReadReport>,
    /// The parts that were moved one after the other.
    #[serde(default)]
    pub parts: Vec<PartReport>,
    /// What was asked for of parts and could not be done.
    #[serde(default)]
    pub refusals: Vec<String>,
    /// The cut-overs, there and back.
    pub flips: Vec<Flip>,
    /// Changes brought back to the source after the commit.
    pub changes_back: u64,
    /// Why it ended early, if it did.
    pub failure: Option<String>,
    /// What can be done about that.
    #[serde(default)]
    pub advice: Option<String>,
}

/// One table in a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableReport {
    /// The table.
    pub table: TableName,
    /// Rows compared.
    pub rows: u64,
    /// Checksum of all rows on the side that served, hexadecimal; empty if not verified.
    pub source: String,
    /// Checksum of all rows on the other side.
    pub target: String,
    /// The files that its rows speak of, where they were moved too.
    #[serde(default)]
    pub objects: Option<ObjectsReport>,
}

/// The files of a storage in a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectsReport {
    /// Files compared.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Checksum of all their bytes on the side that served, hexadecimal.
    pub source: String,
    /// Checksum of all their bytes on the other side.
    pub target: String,
}

/// One cut-over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// The backend that served before.
    pub from: String,
    /// The backend that serves after.
    pub to: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long writes were held, in milliseconds.
    pub pause_ms: f64,
    /// Writes that waited.
    pub held: u64,
    /// Attempts it took to stay inside the longest pause allowed.
    pub attempts: u32,
}
