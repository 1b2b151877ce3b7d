//! Talking to the admin API of a running gateway.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::net::TcpStream;

use crate::Common;
use crate::failure::{Done, Failure};
use crate::gateway_file::{GatewayFile, nothing_runs};

/// The admin API of the gateway that runs for a project.
pub struct AdminClient {
    gateway: GatewayFile,
    common: Common,
}

impl AdminClient {
    /// Finds the running gateway.
    pub fn find(common: &Common) -> Done<Self> {
        Ok(AdminClient { gateway: GatewayFile::read(&common.project)?, common: common.clone() })
    }

    /// Whether it really runs: its file stays behind when a process is killed.
    pub async fn runs(&self) -> bool {
        TcpStream::connect(self.host()).await.is_ok()
    }

    fn host(&self) -> &str {
        self.gateway.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// `GET` below `/admin/v1`.
    pub async fn get(&self, path: &str) -> Done<Json> {
        self.send("GET", path, None).await
    }

    /// `POST` below `/admin/v1`.
    pub async fn post(&self, path: &str, body: &Json) -> Done<Json> {
        self.send("POST", path, Some(body)).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Json>) -> Done<Json> {
        let gone = |_| nothing_runs(&self.common.project);
        let host = self.host();
        let stream = TcpStream::connect(host).await.map_err(|_| nothing_runs(&self.common.project))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("/admin/v1/{path}"))
            .header("host", host)
            .header("authorization", format!("Bearer {}", self.gateway.admin_token))
            .header("content-type", "application/json")
            .body(Full::new(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()))))
            .map_err(|error| Failure::nothing_runs(format!("{path}: {error}"), "this is a defect"))?;
        let response = sender.send_request(request).await.map_err(gone)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(gone)?.to_bytes();
        driving.abort();
        let answer: Json = serde_json::from_slice(&body).unwrap_or(Json::Null);
        if status.is_success() { Ok(answer) } else { Err(Failure::answered(&answer)) }
    }
}
