//! `OPTIONS`: which methods a resource has.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Describe, Page, TableKind};

use super::request::{RestRequest, Target};
use super::response::Reply;
use crate::GatewayState;

pub(super) async fn answer(state: &GatewayState, request: &RestRequest) -> Result<Response<Body>> {
    let allow = match &request.target {
        Target::Root => "OPTIONS,GET,HEAD".to_owned(),
        Target::Function(name) => {
            let catalog = state.services.database.send(Describe::default()).await?;
            let mut named = catalog.functions.iter().filter(|function| function.name == *name).peekable();
            if named.peek().is_none() {
                let message = format!("Could not find the function {name} in the schema cache");
                return Err(Error::new(ErrorKind::NotFound, "PGRST202", message));
            }
            if named.any(|function| function.reads_only) {
                "OPTIONS,GET,HEAD,POST".to_owned()
            } else {
                "OPTIONS,POST".to_owned()
            }
        }
        Target::Table(name) => {
            let catalog = state.services.database.send(Describe::default()).await?;
            let table = catalog.table(name).ok_or_else(|| {
                let message = format!("Could not find the table '{name}' in the schema cache");
                Error::new(ErrorKind::NotFound, "PGRST205", message)
            })?;
            let (insertable, updatable, deletable) = match table.kind {
                TableKind::Table => (true, true, true),
                TableKind::View { insertable, updatable, deletable, .. } => {
                    (insertable, updatable, deletable)
                }
            };
            let puts = insertable && updatable && !table.primary_key.is_empty();
            let methods = [
                ("OPTIONS", true),
                ("GET", true),
                ("HEAD", true),
                ("POST", insertable),
                ("PUT", puts),
                ("PATCH", updatable),
                ("DELETE", deletable),
            ];
            let allowed: Vec<_> =
                methods.iter().filter(|(_, allowed)| *allowed).map(|(method, _)| *method).collect();
            allowed.join(",")
        }
    };
    let mut response = Reply::new(StatusCode::OK, &Page::default()).finish(request, &Page::default());
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    Ok(response)
}
