//! `truststream demo`

use clap::Args;

use crate::Common;
use crate::failure::{Done, Failure};

/// Shows it all.
#[derive(Args)]
pub struct Demo {
    /// Rows to begin with
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
}

impl Demo {
    pub async fn run(&self, _common: &Common) -> Done {
        let _ = self.rows;
        Err(Failure::nothing_runs("the demo is not built yet", "use `truststream dev`"))
    }
}
