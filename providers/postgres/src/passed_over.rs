//! Extensions of Supabase's platform that a migration creates and the server does not have.

use std::borrow::Cow;
use std::ops::Range;

use tokio_postgres::Client;
use truststream_kernel::Result;
use truststream_sql::schema::{created_extension, is_of_platform};

use crate::error::failed;
use crate::script::{line, statements};

const AVAILABLE: &str = "select name::text from pg_available_extensions";

/// A script without the statements that create such extensions: a dump of a project has them all, used or
/// not. Blanks stand in their places, so that every other statement keeps its line.
pub(crate) async fn without_platform<'a>(client: &Client, script: &'a str) -> Result<Cow<'a, str>> {
    let created = created(script);
    if created.is_empty() {
        return Ok(Cow::Borrowed(script));
    }
    let rows = client.query_typed(AVAILABLE, &[]).await.map_err(failed)?;
    let available: Vec<&str> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
    let mut left = script.to_owned();
    for (place, name) in created.into_iter().filter(|(_, name)| !available.contains(&name.as_str())) {
        let at = line(script, place.start);
        tracing::warn!("extension {name} (line {at}) is not on this server: passed over; what uses it fails");
        left.replace_range(place.clone(), &blank(&script[place]));
    }
    Ok(Cow::Owned(left))
}

/// Statements that create an extension of the platform, and its name.
fn created(script: &str) -> Vec<(Range<usize>, String)> {
    let named = |place: Range<usize>| created_extension(&script[place.clone()]).map(|name| (place, name));
    statements(script).into_iter().filter_map(named).filter(|(_, name)| is_of_platform(name)).collect()
}

/// As many bytes and lines of nothing.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}
