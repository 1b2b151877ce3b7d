//! `truststream gen`

use std::collections::BTreeSet;

use clap::{Args, Subcommand, ValueEnum};
use truststream_gateway::Settings;
use truststream_kernel::Error;
use truststream_runtime::Config;

use super::config::load_options;
use super::schema_source::{Source, catalog};
use crate::Common;
use crate::failure::Done;

/// What can be written from the schema of a project.
#[derive(Subcommand)]
pub enum GenCommand {
    /// Write the types of the schema: for supabase-js (`createClient<Database>()`) or for the library
    #[command(
        after_help = "Examples:\n  truststream gen types --lang typescript > database.ts\n  truststream gen types --lang rust --schema public,shop > src/database.rs\n  truststream gen types --from migrations --project ../app"
    )]
    Types(Types),
}

/// Writes types to the standard output.
#[derive(Args)]
pub struct Types {
    /// Language to write
    #[arg(long, value_enum, default_value_t = Language::Typescript)]
    lang: Language,
    /// Schemas, the default one first; those that the REST API serves if absent
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    schema: Vec<String>,
    /// Backend whose schema it is, if not the one that serves
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Where the schema is taken from: a gateway that runs, else the migration files, else the backend
    #[arg(long, value_enum)]
    from: Option<Source>,
}

/// A language that types are written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Language {
    Typescript,
    Rust,
}

impl GenCommand {
    pub async fn run(&self, common: &Common) -> Done {
        let GenCommand::Types(types) = self;
        types.run(common).await
    }
}

impl Types {
    async fn run(&self, common: &Common) -> Done {
        let catalog = catalog(common, self.from, self.backend.as_deref()).await?;
        let exists = |schema: &String| {
            catalog.schemas.contains_key(schema)
                || catalog.tables.keys().any(|table| table.schema == *schema)
                || schema == "public"
        };
        let schemas = if self.schema.is_empty() {
            let config = Config::load(&common.project, &load_options(common, true))?;
            // Projects expose schemas of extensions that nobody made.
            Settings::read(&config)?.rest.schemas.into_iter().filter(|schema| exists(schema)).collect()
        } else {
            self.schema.clone()
        };
        if let Some(missing) = schemas.iter().find(|schema| !exists(schema)) {
            let of_tables = catalog.tables.keys().map(|table| table.schema.as_str());
            let there: BTreeSet<&str> =
                catalog.schemas.keys().map(String::as_str).chain(of_tables).chain(["public"]).collect();
            let names = there.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::configuration(format!("there is no schema \"{missing}\""))
                .with_hint(format!("the schemas are {names}"))
                .into());
        }
        match self.lang {
            Language::Typescript => print!("{}", truststream_typegen::typescript(&catalog, &schemas)),
            Language::Rust => print!("{}", truststream_typegen::rust(&catalog, &schemas)),
        }
        Ok(())
    }
}
