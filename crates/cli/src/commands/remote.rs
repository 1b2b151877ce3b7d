//! `truststream remote script`

use clap::Subcommand;
use truststream_runtime::remote_helper;

use crate::Common;
use crate::failure::Done;

/// What can be done about remote projects.
#[derive(Subcommand)]
pub enum RemoteCommand {
    /// Print the SQL that lets a switch start from a remote project or end there: for its SQL editor
    Script,
}

impl RemoteCommand {
    pub fn run(&self, common: &Common) -> Done {
        let RemoteCommand::Script = self;
        let script = remote_helper()?;
        if common.json {
            println!("{}", serde_json::json!({ "script": script }));
        } else {
            print!("{script}");
        }
        Ok(())
    }
}
