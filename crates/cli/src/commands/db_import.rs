//! `truststream db import`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio::io::AsyncRead;
use truststream_kernel::Error;

use super::db::{FileFormat, open};
use super::db_shown::Shown;
use crate::Common;
use crate::failure::Done;
use crate::text::thousands;

/// Reads rows into a table: in chunks that stay, or all or none. A row that is wrong is named by its
/// line and column.
#[derive(Args)]
pub struct Import {
    /// Table, or schema.table
    table: String,
    /// File to read, `-` for standard input
    file: PathBuf,
    /// Format of the file; by default what its name says
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// All rows or none, in one transaction
    #[arg(long)]
    atomic: bool,
    /// Rows to leave out at the beginning: those an import wrote before it broke off
    #[arg(long, default_value_t = 0, value_name = "ROWS")]
    skip: u64,
    /// What to do with rows whose primary key exists
    #[arg(long, value_enum)]
    existing: Option<Existing>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Existing {
    Replace,
    Keep,
}

impl Import {
    pub async fn run(&self, common: &Common) -> Done {
        let format = FileFormat::of(self.format, Some(&self.file));
        let source: Box<dyn AsyncRead + Unpin + Send> = match self.file.to_str() {
            Some("-") => Box::new(tokio::io::stdin()),
            _ => Box::new(tokio::fs::File::open(&self.file).await.map_err(|error| {
                Error::configuration(format!("{} can't be read: {error}", self.file.display()))
            })?),
        };
        let db = open(common).await?;
        let (schema, table) = self.table.split_once('.').unwrap_or(("public", &self.table));
        let in_schema = db.schema(schema);
        let mut import = in_schema.import(table, format).skip(self.skip);
        if self.atomic {
            import = import.atomic();
        }
        if let Some(existing) = self.existing {
            import = import.existing(existing == Existing::Replace);
        }
        let shown = Shown::new("read", Some(&self.file));
        let done = import.progress(|rows| shown.rows(rows)).read(shown.reading(source)).await;
        shown.finish();
        db.close().await;
        let done = done?;
        if common.json {
            println!("{}", serde_json::json!({ "read": done.read, "written": done.written }));
        } else {
            println!("{} rows read, {} written", thousands(done.read), thousands(done.written));
        }
        Ok(())
    }
}
