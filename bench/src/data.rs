//! The rows that every peer holds: deterministic, so each run and each peer has the same.

use serde_json::json;

use crate::clock::Civil;

/// The table that the reads go to. It never changes after loading.
pub const READ_TABLE: &str = "agents";
/// The table that the insert scenario fills; the same shape and indexes, so that reads keep their size.
pub const WRITE_TABLE: &str = "agents_written";
/// Rows below the agents, and rows below those: what is read in one request with them. They never change.
pub const MISSIONS: &str = "missions";
pub const STEPS: &str = "steps";
/// Both tables as SQL.
pub const CHILDREN: &str = "
create table if not exists missions (id text primary key, agent_id text not null references agents, title text not null);
create index if not exists missions_agent on missions (agent_id);
create table if not exists steps (id text primary key, mission_id text not null references missions, note text not null);
create index if not exists steps_mission on steps (mission_id);
";
/// Steps of each mission; each agent has one mission.
pub const STEPS_EACH: usize = 2;

/// The categories, spread evenly by hash.
pub const CATEGORIES: [&str; 8] =
    ["billing", "compliance", "coding", "finance", "research", "routing", "support", "triage"];

const YEAR_2025: i64 = 1_735_689_600;
const WORDS: [&str; 24] = [
    "amber", "answers", "audits", "bright", "careful", "checks", "delta", "drafts", "ember", "flags",
    "harbor", "invoices", "keeps", "lively", "metrics", "orders", "plans", "quiet", "records", "reports",
    "scores", "swift", "tickets", "watches",
];

/// One agent.
#[derive(Clone, Debug)]
pub struct Row {
    /// 15 characters of `[a-z0-9]`: what PocketBase asks of an id, and plain text to the others.
    pub id: String,
    /// Unique, and in no useful order.
    pub name: String,
    pub category: &'static str,
    /// 0.00 to 99.99, with ties.
    pub score: f64,
    /// Some second of 2025.
    pub created_at: Civil,
    /// Twenty to thirty words.
    pub description: String,
}

/// The loaded rows, and what the right answers over them are.
#[derive(Default)]
pub struct Dataset {
    rows: Vec<Row>,
    by_name: Vec<usize>,
}

impl Dataset {
    /// The first `count` rows.
    pub fn of(count: usize) -> Self {
        let rows: Vec<Row> = (0..count as u64).map(row).collect();
        let mut by_name: Vec<usize> = (0..count).collect();
        by_name.sort_by(|a, b| rows[*a].name.cmp(&rows[*b].name));
        Self { rows, by_name }
    }

    /// All rows, in the order they are loaded.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The highest scores of a category, highest first.
    pub fn top_scores(&self, category: &str, limit: usize) -> Vec<f64> {
        let mut scores: Vec<f64> =
            self.rows.iter().filter(|r| r.category == category).map(|r| r.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(limit);
        scores
    }

    /// The first names, in order, of the rows created at `since` or later.
    pub fn names_since(&self, since: Civil, limit: usize) -> Vec<&str> {
        let rows = self.by_name.iter().map(|&at| &self.rows[at]);
        rows.filter(|r| r.created_at >= since).map(|r| r.name.as_str()).take(limit).collect()
    }
}

/// The missions and steps of these agents as JSON arrays to insert, the parents first.
pub fn children(agents: &[Row]) -> [(&'static str, String); 2] {
    let missions: Vec<_> = agents
        .iter()
        .map(|agent| json!({ "id": format!("m-{}", agent.id), "agent_id": agent.id, "title": agent.name }))
        .collect();
    let step = |agent: &Row, at: usize| {
        let mission = format!("m-{}", agent.id);
        json!({ "id": format!("s-{}-{at}", agent.id), "mission_id": mission, "note": format!("step {at}") })
    };
    let steps: Vec<_> =
        agents.iter().flat_map(|agent| (0..STEPS_EACH).map(move |at| step(agent, at))).collect();
    [(MISSIONS, json!(missions).to_string()), (STEPS, json!(steps).to_string())]
}

/// Row number `n`. Loaded rows count from 0; inserted ones come from far above.
pub fn row(n: u64) -> Row {
    let hash = mix(n);
    let text = mix(hash);
    let words = 20 + (text % 11) as usize;
    let description: Vec<&str> = (0..words).map(|at| word(mix(text.wrapping_add(at as u64)))).collect();
    Row {
        id: id(hash),
        name: format!("{}-{}-{n}", word(hash >> 8), word(hash >> 24)),
        category: CATEGORIES[(hash >> 40) as usize % CATEGORIES.len()],
        score: (text >> 16) as f64 % 10_000.0 / 100.0,
        created_at: moment(text >> 8),
        description: description.join(" "),
    }
}

/// Some second of 2025, picked by `hash`.
pub fn moment(hash: u64) -> Civil {
    Civil::from_unix(YEAR_2025 + (hash % (365 * 86_400)) as i64)
}

/// Spreads a counter over all of u64, each value once (the finalizer of splitmix64).
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn word(hash: u64) -> &'static str {
    WORDS[hash as usize % WORDS.len()]
}

/// `ag` and thirteen base-36 digits, which hold every u64: distinct hashes give distinct ids.
fn id(mut hash: u64) -> String {
    let mut digits = [b'0'; 13];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(hash % 36) as usize];
        hash /= 36;
    }
    let mut id = String::with_capacity(15);
    id.push_str("ag");
    id.extend(digits.iter().map(|digit| char::from(*digit)));
    id
}

#[cfg(test)]
mod tests {
    use super::{CATEGORIES, Dataset};
    use std::collections::HashSet;

    #[test]
    fn rows_are_distinct_and_spread() {
        let data = Dataset::of(10_000);
        let ids: HashSet<&str> = data.rows().iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 15));
        for category in CATEGORIES {
            let size = data.rows().iter().filter(|r| r.category == category).count();
            assert!((1_000..1_500).contains(&size), "{category}: {size}");
        }
    }
}
