//! What is measured, and what the right answer is.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::dialect::Dialect;
use crate::clock::Civil;
use crate::data::{self, CATEGORIES, Dataset, Row, WRITE_TABLE};

/// How many rows a list asks for.
pub const LIST_LENGTH: usize = 20;
/// A row's reply is never shorter: its description alone is.
const LEAST_ROW_BYTES: usize = 100;
/// Inserted rows are numbered from here, far above the loaded ones.
const FIRST_INSERTED: u64 = 1 << 48;
/// Lists start early enough in the year that twenty rows always follow.
const SINCE_SECONDS: u64 = 300 * 86_400;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    PointRead,
    ListIndexed,
    ListScanned,
    Embed,
    Insert,
}

/// One request, with its arguments.
pub enum Ask<'a> {
    Point(&'a Row),
    Top(&'static str),
    Since(Civil),
    Embed(&'static str),
    Children { table: &'static str, rows: String },
    Insert { table: &'static str, row: Row },
}

impl Scenario {
    /// All, in the order of a round.
    pub const ALL: [Self; 5] =
        [Self::PointRead, Self::ListIndexed, Self::ListScanned, Self::Embed, Self::Insert];

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::PointRead => "point_read",
            Self::ListIndexed => "list_indexed",
            Self::ListScanned => "list_scanned",
            Self::Embed => "embed",
            Self::Insert => "insert",
        }
    }

    /// Its name in the report, with the index situation.
    pub fn title(self) -> &'static str {
        match self {
            Self::PointRead => "Point read by id (primary key)",
            Self::ListIndexed => "List: top 20 of a category by score (index on category, score)",
            Self::ListScanned => "List: 20 by name, created since a date (no index helps)",
            Self::Embed => {
                "Embed: top 20 of a category, each with its mission and that with its steps (indexes)"
            }
            Self::Insert => "Insert one row (primary key and one index to keep), row returned",
        }
    }

    /// Request number `n`: the same on every peer.
    pub fn ask(self, n: u64, data: &Dataset) -> Ask<'_> {
        let hash = data::mix(n);
        match self {
            Self::PointRead => Ask::Point(&data.rows()[hash as usize % data.rows().len()]),
            Self::ListIndexed => Ask::Top(CATEGORIES[hash as usize % CATEGORIES.len()]),
            Self::ListScanned => Ask::Since(data::moment(hash % SINCE_SECONDS)),
            Self::Embed => Ask::Embed(CATEGORIES[hash as usize % CATEGORIES.len()]),
            Self::Insert => Ask::Insert { table: WRITE_TABLE, row: data::row(FIRST_INSERTED + n) },
        }
    }

    /// A check cheap enough for the clock: successful, and long enough to hold the rows asked for.
    pub fn plausible(self, dialect: &Dialect, status: u16, body: &[u8]) -> bool {
        let rows = match self {
            Self::Insert if !dialect.returns_inserted() => 0,
            Self::PointRead | Self::Insert => 1,
            Self::ListIndexed | Self::ListScanned | Self::Embed => LIST_LENGTH,
        };
        (200..300).contains(&status) && body.len() >= rows * LEAST_ROW_BYTES
    }
}

/// Whether `body` holds exactly the rows that `ask` asked for, in order.
pub fn verify(ask: &Ask<'_>, data: &Dataset, dialect: &Dialect, body: &[u8]) -> Result<()> {
    let rows = dialect.rows(body)?;
    match ask {
        Ask::Point(row) => one_row(&rows, row),
        Ask::Insert { row, .. } if !dialect.returns_inserted() => {
            ensure!(rows.first().is_some_and(|found| found["id"] == row.id.as_str()), "another id: {rows:?}");
            Ok(())
        }
        Ask::Insert { row, .. } => one_row(&rows, row),
        Ask::Top(category) => {
            let scores: Vec<f64> = rows.iter().filter_map(|row| row["score"].as_f64()).collect();
            let expected = data.top_scores(category, LIST_LENGTH);
            ensure!(scores == expected, "scores of {category}: {scores:?}, expected {expected:?}");
            Ok(())
        }
        Ask::Embed(category) => {
            let nested = rows.iter().filter(|row| is_whole(row)).count();
            let there = data.top_scores(category, LIST_LENGTH).len();
            ensure!(nested == there, "{nested} agents of {category} with all below them, expected {there}");
            Ok(())
        }
        Ask::Children { .. } => Ok(()),
        Ask::Since(since) => {
            let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
            let expected = data.names_since(*since, LIST_LENGTH);
            ensure!(names == expected, "names since {}: {names:?}, expected {expected:?}", since.date());
            Ok(())
        }
    }
}

/// An agent with its mission and that with its steps.
fn is_whole(agent: &Value) -> bool {
    let mission = &agent["missions"][0];
    let steps = mission["steps"].as_array().map_or(0, Vec::len);
    mission["title"] == agent["name"] && agent["name"].is_string() && steps == data::STEPS_EACH
}

fn one_row(rows: &[Value], row: &Row) -> Result<()> {
    let [found] = rows else { bail!("{} rows for one id", rows.len()) };
    for (column, expected) in [
        ("id", &row.id),
        ("name", &row.name),
        ("category", &row.category.to_owned()),
        ("description", &row.description),
    ] {
        ensure!(found[column] == expected.as_str(), "{column}: {}, expected {expected}", found[column]);
    }
    ensure!(found["score"].as_f64() == Some(row.score), "score: {}, expected {}", found["score"], row.score);
    let created_at = found["created_at"].as_str().context("created_at isn't text")?;
    let (date, time) = (row.created_at.date(), row.created_at.time());
    let same = created_at.starts_with(&date) && created_at[date.len()..].contains(&time);
    ensure!(same, "created_at: {created_at}, expected {date} {time} UTC");
    Ok(())
}
