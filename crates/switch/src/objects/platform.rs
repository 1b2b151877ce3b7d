//! Files on a side whose platform writes their rows itself.
//!
//! What is uploaded through its API gets a row with an id and a version of the platform's choosing, and the
//! version is where its bytes lie. So files go there before their rows do, and rows follow that have the
//! version which is there by then, and all else from the source.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use truststream_kernel::{Error, ErrorKind, Result, Row, Type, Value};
use truststream_services::database::{
    Change, ChangeKind, Comparison, Database, Field, Filter, Item, Mark, Operand, Operator, Query, Select,
};

use super::{AT_ONCE, File, chunks, copy, makes_rows, objects_table};
use crate::signal::Signal;
use crate::verify::gone;
use crate::{Options, Side};

/// Names or ids that are asked for at once.
const AT_A_TIME: usize = 200;

/// A file's bucket and name.
type Place = (String, String);

/// A row that the platform has.
#[derive(Deserialize)]
struct Present {
    id: String,
    bucket_id: String,
    name: String,
    version: Option<String>,
}

/// What changes of files come to on a platform.
pub(super) struct Arranged {
    /// The changes as its rows have to take them.
    pub(super) changes: Vec<Change>,
    /// How many bytes each file has that was brought there.
    pub(super) moved: Vec<u64>,
}

/// Brings files to a platform as changes tell of them, and removes there those that they name no more.
///
/// Done again it comes to the same: a file is uploaded once more, and its row found as it is.
///
/// # Errors
/// When the source or the platform does not answer, or the platform refuses a file.
pub(super) async fn arrange(source: &Side, target: &Side, changes: Vec<Change>) -> Result<Arranged> {
    let (last, places) = outcome(&changes);
    let kept: HashSet<&Place> =
        last.values().filter_map(|file| file.as_ref().map(|(place, ..)| place)).collect();
    for (place, file) in &places {
        if !kept.contains(place) {
            target.files.remove(file).await?;
        }
    }
    let mut moved = Vec::new();
    let brought: Vec<_> = last.values().flatten().filter(|(_, _, is_new)| *is_new).collect();
    let brought: Vec<_> = brought.into_iter().map(|(_, file, _)| file.clone()).collect();
    let copies = brought.into_iter().map(|file| upload(source.clone(), target.clone(), file));
    let mut copies = stream::iter(copies).buffer_unordered(AT_ONCE);
    while let Some(copied) = copies.try_next().await? {
        moved.extend(copied);
    }
    let names = kept.iter().map(|(_, name)| name.clone()).collect();
    let present = present(&target.database, "name", names).await?;
    let present: HashMap<_, _> =
        present.into_iter().map(|row| ((row.bucket_id.clone(), row.name.clone()), row)).collect();
    let ids: HashSet<&str> = last.keys().map(String::as_str).collect();
    let strangers =
        kept.iter().filter_map(|place| present.get(*place)).filter(|there| !ids.contains(&*there.id));
    let mut arranged = strangers.map(|there| unknown(&there.id)).collect::<Result<Vec<_>>>()?;
    arranged.extend(changes.into_iter().map(|change| with_version_of(change, &present)));
    Ok(Arranged { changes: arranged, moved })
}

async fn upload(source: Side, target: Side, file: File) -> Result<Option<u64>> {
    copy((&source, &file), (&target, &file)).await.map_err(|error| of_file(error, &file, &target))
}

/// Removes from a target's platform the files that a switch brought there.
///
/// # Errors
/// When a side does not answer.
pub(crate) async fn forget(source: &Side, target: &Side, options: &Options) -> Result<()> {
    if !makes_rows(source, target) {
        return Ok(());
    }
    let (_wish, signal) = Signal::new();
    let mut chunks = chunks(target, &["id".to_owned()], options, &signal);
    while let Some(chunk) = chunks.next().await? {
        let brought = versions(&source.database, chunk.rows.iter().filter_map(id).collect()).await?;
        let files = chunk.rows.iter().filter_map(File::of).filter(|file| brought.contains_key(&file.id));
        for file in files.collect::<Vec<_>>() {
            target.files.remove(&file).await?;
        }
    }
    Ok(())
}

/// The rows that the platform does not have yet.
pub(super) async fn absent(target: &Side, rows: Vec<Row>) -> Result<Vec<Row>> {
    let present = versions(&target.database, rows.iter().filter_map(id).collect()).await?;
    let is_absent = |row: &Row| id(row).is_some_and(|id| !present.contains_key(&id));
    Ok(rows.into_iter().filter(is_absent).collect())
}

/// The change that a row has come.
pub(crate) fn arrived(row: Row) -> Change {
    let (mark, table, kind) = (Mark::default(), objects_table(), ChangeKind::Insert);
    Change { mark, table, kind, old: None, new: Some(row), origin: None, made_at: 0 }
}

/// By the id of a row: the file that it names in the end, where that lies, and whether its bytes are others
/// than before.
type Outcome = HashMap<String, Option<(Place, File, bool)>>;

/// What changes of files come to, and all places that they tell of.
fn outcome(changes: &[Change]) -> (Outcome, HashMap<Place, File>) {
    let (mut last, mut places, mut first) = (Outcome::new(), HashMap::new(), HashMap::new());
    for change in changes.iter().filter(|change| change.table == objects_table()) {
        for file in change.old.iter().chain(&change.new).filter_map(File::of) {
            places.insert(place(&file), file);
        }
        if let Some(id) = change.old.as_ref().and_then(id) {
            first.entry(id.clone()).or_insert_with(|| change.old.as_ref().and_then(File::of));
            last.insert(id, None);
        }
        if let Some((id, file)) = change.new.as_ref().and_then(|row| Some((id(row)?, File::of(row)?))) {
            let before = first.entry(id.clone()).or_insert(None);
            let is_new =
                before.as_ref().is_none_or(|old| old.key() != file.key() || place(old) != place(&file));
            last.insert(id, Some((place(&file), file, is_new)));
        }
    }
    (last, places)
}

/// Those of some files that still are what they were on a side.
pub(super) async fn unchanged<'f>(database: &Database, files: &'f [File]) -> Result<HashSet<&'f str>> {
    let present = present(database, "id", files.iter().map(|file| file.id.clone()).collect()).await?;
    let present: HashMap<_, _> = present.iter().map(|row| (&*row.id, row)).collect();
    let is_same = |file: &&File| {
        present.get(&*file.id).is_some_and(|row| {
            file.is((&row.bucket_id, &row.name, row.version.as_deref().unwrap_or(&row.id)))
        })
    };
    Ok(files.iter().filter(is_same).map(|file| &*file.id).collect())
}

/// The versions of files that a side has, by their ids; those that it does not have are not among them.
pub(super) async fn versions(database: &Database, ids: Vec<String>) -> Result<HashMap<String, String>> {
    let rows = present(database, "id", ids).await?.into_iter();
    Ok(rows.map(|row| (row.id.clone(), row.version.unwrap_or(row.id))).collect())
}

/// The rows of files that have one of these in a column.
async fn present(database: &Database, column: &str, values: Vec<String>) -> Result<Vec<Present>> {
    let mut found = Vec::new();
    for values in values.chunks(AT_A_TIME) {
        let filter = Filter::Compare(Comparison {
            field: Field::column(column),
            operator: Operator::In,
            quantifier: None,
            operand: Operand::List(values.to_vec()),
        });
        let items = ["id", "bucket_id", "name", "version"].into_iter().map(Item::column).collect();
        let query = Query { items, filter: Some(filter), ..Query::default() };
        let page = database.send(Select::new(objects_table(), query)).await?;
        let rows: Vec<Present> = serde_json::from_slice(&page.body)
            .map_err(|error| Error::internal("a row of a file can't be read").with_source(error))?;
        found.extend(rows);
    }
    Ok(found)
}

/// The change with the version that the platform has.
fn with_version_of(mut change: Change, present: &HashMap<Place, Present>) -> Change {
    if change.table == objects_table()
        && let Some(row) = &mut change.new
        && let Some(there) = File::of(row).and_then(|file| present.get(&place(&file)))
    {
        set_version(row, there.version.clone().map_or(Value::Null, Value::Text));
    }
    change
}

/// The change that takes away a row which the platform made for a file of another id.
fn unknown(id: &str) -> Result<Change> {
    let row = Row { columns: Arc::from(["id".to_owned()]), values: vec![Value::parse(&Type::Uuid, id)?] };
    Ok(gone(&objects_table(), row))
}

/// Puts another version into a row of a file.
pub(super) fn set_version(row: &mut Row, version: Value) {
    let index = row.columns.iter().position(|column| column == "version");
    if let Some(value) = index.and_then(|index| row.values.get_mut(index)) {
        *value = version;
    }
}

fn place(file: &File) -> Place {
    (file.bucket.clone(), file.name.clone())
}

/// The id of a file's row.
pub(crate) fn id(row: &Row) -> Option<String> {
    row.get("id").and_then(Value::to_text)
}

/// What the platform refuses has a name, which tells what to do about it.
fn of_file(error: Error, file: &File, target: &Side) -> Error {
    if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) {
        return error;
    }
    let message = format!("`{}` does not take the file {}: {}", target.name, file.path(), error.message());
    Error::new(error.kind(), error.code().to_owned(), message).with_source(error)
}
