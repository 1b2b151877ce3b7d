//! What would be moved, and why it can't be where it can't.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use truststream_kernel::{Context, Error, ErrorKind, FeatureSet, Result, Service, send};
use truststream_services::database::{
    AppliedPosition, Catalog, Changes, Cost, DatabaseFeature, DatabaseService, Describe, Migrations, Ping,
    Problem, Review, Scan, Table, TableKind, TableName, Weigh,
};
use truststream_services::objects::Check;
use truststream_services::storage::ListBuckets;

use crate::Side;
use crate::chunks::canonical_size;
use crate::copy::count_rows;
use crate::fence::can_be_closed;
use crate::objects::{File, Files, objects_table, shares_objects};

/// What a switch would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// From this backend.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Tables that would be moved.
    pub tables: Vec<TableName>,
    /// Tables that stay where they are: those of a platform that no service of TrustStream reads.
    #[serde(default)]
    pub stay: Vec<TableName>,
    /// Rows in them now.
    pub rows: u64,
    /// Whether objects move too (they don't when both sides share them).
    pub moves_objects: bool,
    /// Objects there are now, if they move.
    #[serde(default)]
    pub objects: u64,
    /// Their bytes, estimated from what the rows of some say.
    #[serde(default)]
    pub object_bytes: u64,
    /// What the target can't hold.
    pub problems: Vec<Problem>,
    /// Bytes of all rows in their canonical form, estimated from some of every table.
    #[serde(default)]
    pub bytes: u64,
    /// Seconds that reading all rows of the source once would take: a copy takes at least as long.
    #[serde(default)]
    pub read_seconds: f64,
    /// Features of the source that requests are refused for on the target.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What the target does not do itself but answers alike, and what that costs.
    #[serde(default)]
    pub emulated: Vec<Cost>,
    /// What clients may do once the target serves that would be lost on the way back, or would stop it,
    /// and why.
    #[serde(default)]
    pub way_back: Vec<Cost>,
    /// Sides whose database can't refuse what is written to it directly while the other one serves:
    /// that is seen, and set down or forwarded.
    #[serde(default)]
    pub not_closed: Vec<String>,
    /// What has to be over or gone before it can begin.
    #[serde(default)]
    pub first: Vec<String>,
}

/// Rows of each table that are read to tell how large all of them are.
const SAMPLE: usize = 500;

/// Looks at both sides and changes nothing.
///
/// # Errors
/// When a side does not answer.
pub async fn plan(source: &Side, target: &Side) -> Result<Plan> {
    target.database.send(Ping).await?;
    let catalog = source.database.send(Describe { fresh: true }).await?;
    let mut problems = unable(source, target).await?;
    problems.extend(kept_apart(source, target).await?);
    let mut tables = Vec::new();
    for (name, table) in moved(&catalog, source, target) {
        if table.primary_key.is_empty() {
            problems.push(Problem {
                migration: String::new(),
                line: 0,
                statement: format!("table {name}"),
                reason: "it has no primary key, so its rows can't be followed; add one".to_owned(),
            });
            continue;
        }
        tables.push(name.clone());
    }
    let stay = left_alone(source, &catalog).await?;
    let size = measure(source, &tables).await?;
    let (has, takes) = (features(source), features(target));
    // No request needs it, and it is told for both sides below.
    let missing = has.minus(takes).minus(FeatureSet::of(&[DatabaseFeature::Fences]));
    let emulated = target.database.send(Weigh { catalog: Arc::clone(&catalog) }).await?;
    let way_back = lost_on_the_way_back((source, target), catalog, &emulated).await?;
    let migrations = source.database.send(Migrations).await?;
    match target.database.send(Review { migrations }).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => problems.push(inability(target, &error)),
        reviewed => problems.extend(reviewed?),
    }
    Ok(Plan {
        from: source.name.clone(),
        to: target.name.clone(),
        rows: size.rows,
        tables,
        stay,
        moves_objects: !shares_objects(source, target),
        objects: if shares_objects(source, target) { 0 } else { size.objects },
        object_bytes: if shares_objects(source, target) { 0 } else { size.object_bytes as u64 },
        problems,
        bytes: size.bytes as u64,
        read_seconds: size.seconds,
        missing: named(missing),
        emulated,
        way_back,
        not_closed: not_closed(source, target),
        first: Vec::new(),
    })
}

/// What direct writers can't be kept from.
fn not_closed(source: &Side, target: &Side) -> Vec<String> {
    let moves_files = !shares_objects(source, target);
    let open = |side: &Side| match side.files.platform() {
        _ if !can_be_closed(side) => Some(side.name.clone()),
        Some(_) if moves_files => Some(format!("the storage of {}", side.name)),
        _ => None,
    };
    [source, target].into_iter().filter_map(open).collect()
}

/// Why a switch would not begin on a target that holds rows of these tables.
pub(crate) async fn rows_in_the_way(target: &Side, tables: &[TableName]) -> Result<Option<String>> {
    let there = target.database.send(Describe { fresh: true }).await?;
    for table in tables.iter().filter(|table| there.tables.contains_key(*table)) {
        if !target.database.send(Scan::new(table.clone(), None, 1)).await?.rows.is_empty() {
            let name = &target.name;
            return Ok(Some(format!(
                "`{name}` holds rows already, in table {table}: switch to an empty database, or empty this one"
            )));
        }
    }
    Ok(None)
}

/// What the target holds or does that the source does not.
async fn lost_on_the_way_back(
    (source, target): (&Side, &Side),
    catalog: Arc<Catalog>,
    on_target: &[Cost],
) -> Result<Vec<Cost>> {
    let only_there = named(features(target).minus(features(source)));
    let words = format!("{} refuses requests that need it again", source.name);
    let of_features = only_there.into_iter().map(|feature| Cost::new(feature, words.clone()));
    let on_source = source.database.send(Weigh { catalog }).await?;
    let is_held = |cost: &Cost| !on_target.iter().any(|there| there.partial && there.of == cost.of);
    let of_values = on_source.into_iter().filter(|cost| cost.partial && is_held(cost));
    let of_values = of_values.map(|cost| Cost {
        words: format!(
            "what {} takes of them stops the way back: on {} {}",
            target.name, source.name, cost.words
        ),
        ..cost
    });
    Ok(of_features.chain(of_values).collect())
}

fn features(side: &Side) -> FeatureSet {
    side.database.stack().features().supported()
}

fn named(features: FeatureSet) -> Vec<String> {
    features.names(DatabaseService::FEATURES).into_iter().map(str::to_owned).collect()
}

/// How much there is to move.
#[derive(Default)]
struct Size {
    rows: u64,
    bytes: f64,
    seconds: f64,
    objects: u64,
    object_bytes: f64,
}

/// Counts all rows, and reads some of every table to tell the rest from them.
async fn measure(source: &Side, tables: &[TableName]) -> Result<Size> {
    let mut size = Size::default();
    for table in tables {
        let rows = count_rows(source, std::slice::from_ref(table)).await?;
        let began = Instant::now();
        let scan = Scan::new(table.clone(), None, SAMPLE);
        let sample = source.database.send(scan).await?.rows;
        let took = began.elapsed().as_secs_f64();
        let times = rows as f64 / sample.len().max(1) as f64;
        size.rows += rows;
        size.bytes += times * sample.iter().map(canonical_size).sum::<u64>() as f64;
        if *table == objects_table() {
            size.objects = rows;
            size.object_bytes =
                times * sample.iter().filter_map(File::of).map(|file| file.size()).sum::<u64>() as f64;
        }
        // What reading anything at all takes counts once.
        size.seconds += took * times.max(1.0);
    }
    Ok(size)
}

/// What a side can't do at all of what every switch asks of it.
async fn unable(source: &Side, target: &Side) -> Result<Vec<Problem>> {
    let end = Changes { after: None, limit: 0, wait: Duration::ZERO };
    let feed = source.database.send(end).await.map(drop);
    let stands = target.database.send(AppliedPosition { origin: "plan".to_owned() }).await.map(drop);
    let mut problems = Vec::new();
    for (side, asked) in [(source, feed), (target, stands)] {
        match asked {
            Err(error) if error.kind() == ErrorKind::Unsupported => problems.push(inability(side, &error)),
            asked => asked?,
        }
    }
    Ok(problems)
}

/// What a side keeps where no switch can move it from or to.
async fn kept_apart(source: &Side, target: &Side) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if source.elsewhere.get("auth") != target.elsewhere.get("auth") {
        let side = if source.elsewhere.contains_key("auth") { source } else { target };
        let reason = "it keeps users, password hashes and sessions itself, and its keys neither tell nor take \
                      them; let both backends share auth";
        problems.push(inability(side, &Error::unsupported(reason)));
    }
    if !shares_objects(source, target) {
        for side in [source, target] {
            problems.extend(unmovable_files(side).await?.map(|error| inability(side, &error)));
        }
    }
    Ok(problems)
}

/// Why no switch can move files from a side, or to it.
async fn unmovable_files(side: &Side) -> Result<Option<Error>> {
    let storage = match &side.files {
        Files::Store(objects) => {
            let refused = objects.send(Check).await.err();
            // Whether it answers is seen when objects are moved.
            return Ok(refused.filter(|error| error.kind() == ErrorKind::Unsupported));
        }
        Files::Platform(storage) => storage,
    };
    let catalog = side.database.send(Describe::default()).await?;
    let hint = "files move by their rows, which are in the project's database: connect it by its connection \
                string (`provider = \"postgres\"`), or let both backends share the storage";
    if catalog.table(&objects_table()).is_none() {
        let error = Error::unsupported("its files are in a storage whose rows its database does not have");
        return Ok(Some(error.with_hint(hint)));
    }
    let buckets =
        storage.send(ListBuckets).await?.into_iter().map(|bucket| bucket.id).collect::<BTreeSet<_>>();
    let rows = side.database.send(Scan::new(TableName::new("storage", "buckets"), None, BUCKETS)).await?.rows;
    let known = rows.iter().filter_map(|row| row.get("id")?.to_text()).collect::<BTreeSet<_>>();
    Ok((buckets != known).then(|| {
        let error =
            Error::unsupported("its storage has other buckets than its database: they are of two projects");
        error.with_hint(hint)
    }))
}

/// Buckets that are compared at most.
const BUCKETS: usize = 10_000;

fn inability(side: &Side, error: &Error) -> Problem {
    Problem {
        migration: String::new(),
        line: 0,
        statement: format!("backend {}", side.name),
        reason: [error.message()].into_iter().chain(error.hint()).collect::<Vec<_>>().join("; "),
    }
}

/// Tables whose rows are moved, if they have a key. What both sides keep in the same place elsewhere stays
/// there.
pub(crate) fn moved<'c>(
    catalog: &'c Catalog,
    source: &Side,
    target: &Side,
) -> impl Iterator<Item = (&'c TableName, &'c Table)> + use<'c> {
    let both =
        source.elsewhere.iter().filter(|(schema, place)| target.elsewhere.get(*schema) == Some(*place));
    let mut apart: Vec<&'static str> = both.map(|(schema, _)| *schema).collect();
    apart.push("truststream");
    // Replies are remembered by idempotency keys, which need transactions.
    let remembers = |side: &Side| features(side).has(DatabaseFeature::Transactions);
    if !(remembers(source) && remembers(target)) {
        apart.push("truststream_requests");
    }
    let is_moved = move |name: &TableName| !apart.contains(&name.schema.as_str());
    catalog.tables.iter().filter(move |(name, table)| table.kind == TableKind::Table && is_moved(name))
}

/// Tables of a side that switches do not see.
async fn left_alone(side: &Side, seen: &Catalog) -> Result<Vec<TableName>> {
    let whole = send(&side.whole, &Context::system(), Describe::default()).await?;
    Ok(whole.tables.keys().filter(|name| seen.table(name).is_none()).cloned().collect())
}

impl Plan {
    /// Refuses a plan with problems.
    ///
    /// # Errors
    /// `Unsupported` with the problems as details.
    pub fn check(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let message = format!("{} can't hold everything that {} holds", self.to, self.from);
        let details = serde_json::to_value(&self.problems).unwrap_or_default();
        Err(Error::new(ErrorKind::Unsupported, "0A000", message)
            .with_details(details)
            .with_hint(format!("`truststream switch plan {}` lists what is in the way", self.to)))
    }
}
