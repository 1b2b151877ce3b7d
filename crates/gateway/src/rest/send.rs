//! Sending an operation to the database in the first representation that can be made.

use truststream_kernel::{Error, ErrorKind, Request, Result};
use truststream_services::database::{DatabaseService, Format, Media, Page};

use super::accept::{Accepted, unavailable};
use super::request::RestRequest;
use crate::GatewayState;

/// Sends an operation as the caller, in the first of the accepted representations that can be made.
/// One that needs a handler the database lacks is refused before anything is done.
pub(super) async fn send<R>(
    state: &GatewayState,
    request: &mut RestRequest,
    candidates: Vec<Accepted>,
    operation: R,
    format: fn(&mut R) -> &mut Format,
) -> Result<(Page, Accepted)>
where
    R: Request<DatabaseService, Reply = Page> + Clone,
{
    let database = state.services.database.with(request.cx.clone());
    request.timing.planned();
    for accepted in &candidates[..candidates.len().saturating_sub(1)] {
        let mut attempt = operation.clone();
        *format(&mut attempt) = passed_on(accepted);
        match database.send(attempt).await {
            Err(error) if lacks(&error, accepted) => {}
            answered => {
                request.timing.done();
                return answered.map(|page| (page, accepted.clone()));
            }
        }
    }
    let last = candidates.into_iter().next_back().ok_or_else(|| unavailable("*/*"))?;
    let mut attempt = operation;
    *format(&mut attempt) = passed_on(&last);
    let answered = database.send(attempt).await;
    request.timing.done();
    match answered {
        Err(error) if lacks(&error, &last) => Err(unavailable(request.header("accept").unwrap_or("*/*"))),
        answered => Ok((answered?, last)),
    }
}

/// A representation that is sent as it comes.
fn passed_on(accepted: &Accepted) -> Format {
    Format { spooled: true, ..accepted.format.clone() }
}

/// Whether a representation can't be made: the database has no handler for it, or has none at all.
fn lacks(error: &Error, accepted: &Accepted) -> bool {
    let special = !matches!(accepted.format.media, Media::Json | Media::Object | Media::Csv);
    error.code() == "PGRST107" || (special && error.kind() == ErrorKind::Unsupported)
}
