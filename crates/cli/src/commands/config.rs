//! `truststream config check`

use clap::Subcommand;
use truststream_gateway::Settings;
use truststream_runtime::{Config, LoadOptions};

use crate::Common;
use crate::failure::Done;

/// What can be done with a configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Validate the configuration without starting anything
    Check,
}

impl ConfigCommand {
    pub fn run(&self, common: &Common) -> Done {
        let ConfigCommand::Check = self;
        let config = Config::load(&common.project, &load_options(common, true))?;
        config.check_providers()?;
        Settings::read(&config)?;
        let names: Vec<_> = config.file.backend.keys().map(String::as_str).collect();
        if common.json {
            println!(
                "{}",
                serde_json::json!({ "valid": true, "active": config.file.active, "backends": names })
            );
        } else {
            println!(
                "the configuration is valid: {} serves; backends: {}",
                config.file.active,
                names.join(", ")
            );
        }
        Ok(())
    }
}

/// Where the configuration is read from.
pub fn load_options(common: &Common, development: bool) -> LoadOptions {
    LoadOptions { file: common.config.clone(), profile: common.profile.clone(), development }
}
