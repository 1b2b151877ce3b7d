//! `truststream db export`

use std::path::PathBuf;

use clap::Args;
use tokio::io::AsyncWrite;
use url::form_urlencoded;

use super::db::{FileFormat, open};
use super::db_shown::Shown;
use super::written_file::WrittenFile;
use crate::Common;
use crate::failure::Done;
use crate::text::thousands;
use crate::unread::is_unread;

/// Writes the rows of a table, as of one moment.
#[derive(Args)]
pub struct Export {
    /// Table or view, or schema.table
    table: String,
    /// File to write; standard output if absent
    file: Option<PathBuf>,
    /// Format of the file; by default what its name says
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Which rows and columns, as in a URL: `select=id,title&seconds=gte.240&order=title`
    #[arg(long)]
    query: Option<String>,
}

impl Export {
    pub async fn run(&self, common: &Common) -> Done {
        let format = FileFormat::of(self.format, self.file.as_deref());
        let db = open(common).await?;
        let (schema, table) = self.table.split_once('.').unwrap_or(("public", &self.table));
        let in_schema = db.schema(schema);
        let (mut items, mut order, mut filters) = ("*".to_owned(), None, Vec::new());
        for (key, value) in form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes()) {
            match &*key {
                "select" => items = value.into_owned(),
                "order" => order = Some(value.into_owned()),
                _ => filters.push((key.into_owned(), value.into_owned())),
            }
        }
        let mut read = in_schema.from(table).select(&items);
        for (key, value) in &filters {
            read = read.filter(key, value);
        }
        if let Some(order) = &order {
            read = read.order(order);
        }
        let (file, sink): (_, Box<dyn AsyncWrite + Unpin + Send>) = match &self.file {
            None => (None, Box::new(tokio::io::stdout())),
            Some(path) => {
                let (file, sink) = WrittenFile::create(path).await?;
                (Some(file), Box::new(sink))
            }
        };
        let shown = Shown::new("written", None);
        let rows = read.export(format, sink, |rows| shown.rows(rows)).await;
        shown.finish();
        db.close().await;
        if let Some(file) = file {
            file.end(rows.is_ok()).await?;
        }
        let rows = match rows {
            // Whoever read has what it wanted.
            Err(error) if self.file.is_none() && is_unread(&error) => return Ok(()),
            rows => rows?,
        };
        // Standard output may be the rows themselves.
        if common.json && self.file.is_some() {
            println!("{}", serde_json::json!({ "written": rows }));
        } else {
            eprintln!("{} rows written", thousands(rows));
        }
        Ok(())
    }
}
