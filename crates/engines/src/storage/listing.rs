//! Listing folders.

use std::collections::BTreeMap;

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Filter, Select};
use truststream_services::storage::{ListObjects, Listed, Object};

use super::StorageEngine;
use super::error::no_such_bucket;
use super::rows::{ObjectRow, begins_with, find_bucket, object_query, objects, read};

impl StorageEngine {
    pub(super) async fn list(&self, cx: &Context, op: &ListObjects) -> Result<Vec<Listed>> {
        let order = order_of(&op.sort_by)?;
        find_bucket(&self.database, &op.bucket).await?.ok_or_else(no_such_bucket)?;
        let folder = op.prefix.trim_matches('/');
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let begins = begins_with("name", &format!("{folder}{}", op.search));
        let filter = Filter::And(vec![Filter::eq("bucket_id", &op.bucket), begins]);
        let page = self.caller(cx).send(Select::new(objects(), object_query(filter))).await?;
        let rows = read::<ObjectRow>(&page)?.into_iter().map(Object::from);
        let mut entries = directly_below(&folder, rows);
        entries.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
        if op.descending {
            entries.reverse();
        }
        // Folders come first, as Supabase Storage lists them.
        entries.sort_by_key(|entry| entry.id.is_some());
        let skip = usize::try_from(op.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(op.limit).unwrap_or(usize::MAX);
        Ok(entries.into_iter().skip(skip).take(take).collect())
    }
}

type SortKey = fn(&Listed) -> Option<&String>;

fn order_of(column: &str) -> Result<SortKey> {
    match column {
        "" | "name" => Ok(|entry| Some(&entry.name)),
        "updated_at" => Ok(|entry| entry.updated_at.as_ref()),
        "created_at" => Ok(|entry| entry.created_at.as_ref()),
        "last_accessed_at" => Ok(|entry| entry.last_accessed_at.as_ref()),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "InvalidRequest",
            "sortBy.column must be one of name, updated_at, created_at, last_accessed_at",
        )),
    }
}

/// Objects directly in `folder`, and the folders in it, each once.
fn directly_below(folder: &str, rows: impl Iterator<Item = Object>) -> Vec<Listed> {
    let mut found: BTreeMap<String, Listed> = BTreeMap::new();
    for object in rows {
        let Some(rest) = object.name.strip_prefix(folder) else { continue };
        let entry = match rest.split_once('/') {
            Some((name, _)) => folder_entry(name),
            None => object_entry(rest, &object),
        };
        found.entry(format!("{}{}", entry.name, if entry.id.is_none() { "/" } else { "" })).or_insert(entry);
    }
    found.into_values().collect()
}

fn folder_entry(name: &str) -> Listed {
    Listed {
        name: name.to_owned(),
        id: None,
        updated_at: None,
        created_at: None,
        last_accessed_at: None,
        metadata: None,
    }
}

fn object_entry(name: &str, object: &Object) -> Listed {
    Listed {
        name: name.to_owned(),
        id: Some(object.id.clone()),
        updated_at: Some(object.updated_at.clone()),
        created_at: Some(object.created_at.clone()),
        last_accessed_at: object.last_accessed_at.clone(),
        metadata: Some(object.metadata.clone()),
    }
}
