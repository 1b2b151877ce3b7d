//! Indexes of words: full text by FTS5.
//!
//! A GIN index on a document of full-text search (`to_tsvector('english', body)`, or a column of type
//! `tsvector`) is an FTS5 table of the document's words. It names the rows that a search may find; whether
//! it does find them is said by looking at the document, so the answers are those without an index.
//!
//! Triggers mark the keys of rows that were written, with what every SQLite has: other programs write to the
//! file too. Marked rows are among those that a search looks at until the writing thread has put their
//! words into the index, so it is never behind. Rows are known by their primary key, which neither
//! `VACUUM` nor a dump changes; a table without one has no such index.

mod fold;
mod kept;

use serde::{Deserialize, Serialize};
use truststream_services::database::{Catalog, Column, Index, Table, TableKind, TableName};
use truststream_sql::expression::{Document, Scope, indexed_document};
use truststream_sql::quote::quote;
use truststream_sql::schema::row_number;
use truststream_sql::text_search::words::NOTHING;

use crate::ddl::stored;
use crate::schema::physical_name;

pub(crate) use fold::{Folding, Moment};
pub(crate) use kept::{begin, follow};

/// How words are kept. What was kept otherwise is made anew when the file is opened.
const FORM: u32 = 1;

/// What qualifies the columns of a document.
const ROW: &str = "d";

/// An index of words in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words {
    form: u32,
    /// Its name in the file, to which each of its tables puts a prefix.
    name: String,
    /// The table's name in the file.
    table: String,
    /// The document, as SQL on a row called [`ROW`].
    document: String,
    /// The columns that it is made of.
    of: Vec<String>,
    /// The columns of the primary key, each as the file declares it.
    key: Vec<(String, String)>,
    /// Whether the key is the row id.
    numbered: bool,
}

impl Words {
    /// The index of words that an index of the catalog is; `None` if it is another kind of index.
    fn of(catalog: &Catalog, name: &TableName, table: &Table, index: &Index) -> Option<Self> {
        let document = document(catalog, name, index, ROW)?.sql();
        let key: Option<Vec<_>> = table.primary_key.iter().map(|column| table.column(column)).collect();
        let key = key.filter(|key| !key.is_empty())?;
        let numbered = row_number(catalog, name, table).is_some();
        let part = |column: &&Column| document.contains(&format!("{}.{}", quote(ROW), quote(&column.name)));
        Some(Words {
            form: FORM,
            name: physical_name(&TableName::new(&name.schema, &index.name)),
            table: physical_name(name),
            of: table.columns.iter().filter(part).map(|column| column.name.clone()).collect(),
            document,
            key: key.into_iter().map(|column| (column.name.clone(), stored(column, numbered))).collect(),
            numbered,
        })
    }

    /// The index of words for a document of a table's rows, which are called `alias`.
    pub(crate) fn on(catalog: &Catalog, table: &TableName, alias: &str, wanted: &Document) -> Option<Self> {
        let known = catalog.table(table)?;
        let same = |index: &&Index| document(catalog, table, index, alias).as_ref() == Some(wanted);
        let mut found = known.indexes.iter().filter(same);
        found.find_map(|index| Words::of(catalog, table, known, index))
    }

    /// The condition on rows called `alias` that all meet whose document matches a query.
    pub(crate) fn condition(&self, alias: &str, query: &str) -> String {
        let (words, keys, marks) = (self.words(), self.keys(), self.marks());
        let (own, every) = (self.columns(&quote(alias)), self.columns("every"));
        let (kept, table) = (self.kept(""), quote(&self.table));
        let needed = format!("ts_text_needed({query})");
        let found = format!("SELECT rowid FROM {words} WHERE {words} MATCH ifnull({needed}, '{NOTHING}')");
        let found = match self.numbered {
            true => found,
            false => format!("SELECT {kept} FROM {keys} WHERE number IN ({found})"),
        };
        // SQLite takes pairs from an index only where what they are in is one select.
        let picked = if self.numbered { "rowid".to_owned() } else { kept.clone() };
        format!(
            "({own}) IN (SELECT {picked} FROM ({found} UNION ALL SELECT {kept} FROM {marks} \
             UNION ALL SELECT {every} FROM (SELECT 1 WHERE {needed} IS NULL) CROSS JOIN {table} AS every))"
        )
    }

    /// The key of a row.
    fn columns(&self, row: &str) -> String {
        let columns = self.key.iter().map(|(column, _)| format!("{row}.{}", quote(column)));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The key as the tables of the index have it, `of` one of them or nothing.
    fn kept(&self, of: &str) -> String {
        (0..self.key.len()).map(|at| format!("{of}key{at}")).collect::<Vec<_>>().join(", ")
    }

    /// The FTS5 table. Its name ends with a slash, so that no index has that of one of the tables it keeps.
    fn words(&self) -> String {
        quote(&format!("truststream_words/{}/", self.name))
    }

    /// The table of keys, each with the number that stands for it in the FTS5 table.
    fn keys(&self) -> String {
        quote(&format!("truststream_words_keys/{}", self.name))
    }

    /// The table of keys that are marked.
    fn marks(&self) -> String {
        quote(&format!("truststream_words_marks/{}", self.name))
    }
}

/// What the index of a table is on, of rows that are called `alias`; `None` if that is no document.
fn document(catalog: &Catalog, table: &TableName, index: &Index, alias: &str) -> Option<Document> {
    let whole = matches!(index.method.as_str(), "gin" | "gist") && index.predicate.is_none();
    let [term] = index.terms.as_slice() else { return None };
    if !whole {
        return None;
    }
    let scope = Scope { alias: Some(alias), ..Scope::of_table(catalog, table) };
    // What can't be translated was refused where it matters; an index only makes reads faster.
    indexed_document(term, &scope).ok().flatten()
}

/// All indexes of words of a catalog.
fn all(catalog: &Catalog) -> Vec<Words> {
    let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
    let of_table = |(name, table): (&TableName, &Table)| -> Vec<Words> {
        table.indexes.iter().filter_map(|index| Words::of(catalog, name, table, index)).collect()
    };
    tables.flat_map(of_table).collect()
}
