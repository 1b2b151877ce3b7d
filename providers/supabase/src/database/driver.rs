//! The driver.

use std::sync::Arc;

use arc_swap::ArcSwap;
use reqwest::{Method, RequestBuilder};
use truststream_kernel::{Context, Effect, Error, FeatureSet, Features, Result};
use truststream_services::database::{
    Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Capture, Catalog, ChangeBatch,
    Changes, Chunk, DatabaseDriver, DatabaseFeature, Delete, Describe, Insert, Invoke, Migrate,
    MigrationNames, MigrationOutcome, Migrations, Page, Ping, Position, Prepare, PrepareClaimed, Problem,
    Review, Scan, Select, Step, Update,
};

use super::feed::Trims;
use super::helper::Helper;
use super::{describe, response};
use crate::Config;
use crate::client::{Client, PROVIDER, Reply, send};
use crate::error::of_data_api;

/// The database of a remote project, reached through its data API.
pub struct RemoteDatabase {
    pub(super) client: Client,
    pub(super) schemas: Vec<String>,
    pub(super) rollback: bool,
    pub(super) helper: Helper,
    pub(super) trims: Trims,
    catalog: ArcSwap<Catalog>,
}

impl RemoteDatabase {
    /// What the project can do: all that its API has words for. What it does not allow (aggregates,
    /// plans), it refuses itself.
    pub fn declares() -> Features {
        use DatabaseFeature::{
            Aggregates, CompositeColumns, Embeds, Explain, ExplainWrites, FullText, Functions, GeoJson,
            Handlers, MediaHandlers, Partitions, Policies, Ranges, Regex, Representations, RequestFacts,
        };
        let native = [
            Aggregates,
            CompositeColumns,
            Embeds,
            Explain,
            ExplainWrites,
            FullText,
            Functions,
            GeoJson,
            Handlers,
            MediaHandlers,
            Partitions,
            Policies,
            Ranges,
            Regex,
            Representations,
        ];
        // The caller's headers are sent along; path and method are those of the request to the project.
        Features { native: FeatureSet::of(&native), emulated: FeatureSet::of(&[RequestFacts]) }
    }

    /// Asks the project what it offers.
    ///
    /// # Errors
    /// `BACKEND_002` for a URL that is none, `BACKEND_005` when the project can't be reached.
    pub async fn connect(config: &Config) -> Result<Self> {
        let database = RemoteDatabase {
            client: Client::new(config)?,
            schemas: config.schemas.clone(),
            rollback: config.rollback,
            helper: Helper::default(),
            trims: Trims::default(),
            catalog: ArcSwap::default(),
        };
        database.renew().await?;
        Ok(database)
    }

    /// The catalog as it was last read.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Reads the catalog anew.
    pub(super) async fn renew(&self) -> Result<Arc<Catalog>> {
        let mut catalog = Catalog::default();
        for schema in &self.schemas {
            let request = self
                .client
                .with_bearer(self.client.credentials().service_key(), Method::GET, &["rest", "v1", ""])?
                .header("accept", "application/openapi+json")
                .header("accept-profile", schema);
            let reply = send(request, false).await?;
            if !reply.status.is_success() {
                return Err(of_data_api(&reply, false));
            }
            describe::add(&mut catalog, schema, &reply)?;
        }
        self.helper.find(&self.client, &mut catalog).await?;
        let catalog = Arc::new(catalog);
        self.catalog.store(Arc::clone(&catalog));
        Ok(catalog)
    }
}

/// Sends what an operation became and reads its reply.
async fn exchange(request: Result<RequestBuilder>, effect: Effect) -> Result<Reply> {
    send(request?, effect != Effect::Read).await
}

/// Nothing but HTTP requests, one by one, reaches the database.
pub(super) fn unreachable_by_http(what: &str) -> Error {
    Error::unsupported(format!("a remote project's data API {what}"))
        .with_hint("with its connection string, `provider = \"postgres\"` can")
}

impl DatabaseDriver for RemoteDatabase {
    fn features(&self) -> Features {
        let mut features = RemoteDatabase::declares();
        if self.helper.is_there() {
            features.native = features.native.with(DatabaseFeature::ChangeFeed);
        }
        features
    }

    async fn select(&self, cx: &Context, op: &Select) -> Result<Page> {
        let reply = exchange(self.select_request(cx, op), Effect::Read).await;
        reply
            .and_then(|reply| response::read(reply, &op.format.media))
            .map_err(|e| e.during("select", PROVIDER))
    }

    async fn insert(&self, cx: &Context, op: &Insert) -> Result<Page> {
        let reply = exchange(self.insert_request(cx, op), Effect::Write).await;
        reply.and_then(|reply| response::inserted(reply, op)).map_err(|e| e.during("insert", PROVIDER))
    }

    async fn update(&self, cx: &Context, op: &Update) -> Result<Page> {
        let reply = exchange(self.update_request(cx, op), Effect::Write).await;
        reply
            .and_then(|reply| response::written(reply, &op.options))
            .map_err(|e| e.during("update", PROVIDER))
    }

    async fn delete(&self, cx: &Context, op: &Delete) -> Result<Page> {
        let reply = exchange(self.delete_request(cx, op), Effect::Write).await;
        reply
            .and_then(|reply| response::written(reply, &op.options))
            .map_err(|e| e.during("delete", PROVIDER))
    }

    async fn invoke(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        let effect = if op.read_only { Effect::Read } else { Effect::Write };
        let reply = exchange(self.invoke_request(cx, op), effect).await;
        reply.and_then(|reply| response::called(reply, op)).map_err(|e| e.during("invoke", PROVIDER))
    }

    /// One step is a request; several can't be one transaction.
    async fn batch(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        let page = match op.steps.as_slice() {
            [] => return Ok(Vec::new()),
            [Step::Select(select)] => self.select(cx, select).await,
            [Step::Insert(insert)] => self.insert(cx, insert).await,
            [Step::Update(update)] => self.update(cx, update).await,
            [Step::Delete(delete)] => self.delete(cx, delete).await,
            _ => Err(unreachable_by_http("does one request at a time")),
        };
        page.map(|page| vec![page])
    }

    async fn authorize(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        self.judge(cx, op).await.map_err(|e| e.during("authorize", PROVIDER))
    }

    async fn describe(&self, _: &Context, op: &Describe) -> Result<Arc<Catalog>> {
        if op.fresh { self.renew().await } else { Ok(self.catalog()) }
    }

    async fn review(&self, _: &Context, op: &Review) -> Result<Vec<Problem>> {
        self.missing(&op.migrations).await.map_err(|e| e.during("review", PROVIDER))
    }

    async fn migrate(&self, _: &Context, _: &Migrate) -> Result<MigrationOutcome> {
        Err(unreachable_by_http("takes no migrations"))
    }

    /// Those that TrustStream or the supabase CLI recorded in the project; its keys alone tell none.
    async fn migrations(&self, _: &Context, _: &Migrations) -> Result<Vec<AppliedMigration>> {
        self.recorded_migrations().await.map_err(|e| e.during("migrations", PROVIDER))
    }

    async fn migration_names(&self, _: &Context, _: &MigrationNames) -> Result<Vec<String>> {
        self.names_of_migrations().await.map_err(|e| e.during("migration_names", PROVIDER))
    }

    async fn ping(&self, cx: &Context, _: &Ping) -> Result<()> {
        let request = self.client.request(cx, Method::HEAD, &["rest", "v1", ""])?;
        let reply = send(request, false).await?;
        if reply.status.is_success() { Ok(()) } else { Err(of_data_api(&reply, false)) }
    }

    async fn capture(&self, _: &Context, op: &Capture) -> Result<Position> {
        self.set_capture(op).await.map_err(|e| e.during("capture", PROVIDER))
    }

    async fn changes(&self, _: &Context, op: &Changes) -> Result<ChangeBatch> {
        self.read_changes(op).await.map_err(|e| e.during("changes", PROVIDER))
    }

    async fn scan(&self, _: &Context, op: &Scan) -> Result<Chunk> {
        self.read_chunk(op).await.map_err(|e| e.during("scan", PROVIDER))
    }

    async fn prepare(&self, _: &Context, op: &Prepare) -> Result<()> {
        self.make_ready(op, None).await.map(drop).map_err(|e| e.during("prepare", PROVIDER))
    }

    async fn prepare_claimed(&self, _: &Context, op: &PrepareClaimed) -> Result<Applied> {
        let claim = Some((op.origin.as_str(), &op.expected));
        self.make_ready(&op.step, claim).await.map_err(|e| e.during("prepare", PROVIDER))
    }

    async fn apply(&self, _: &Context, op: &Apply) -> Result<Applied> {
        let applied =
            if self.helper.is_there() { self.apply_stream(op).await } else { self.put_rows(op).await };
        applied.map_err(|e| e.during("apply", PROVIDER))
    }

    async fn applied_position(&self, _: &Context, op: &AppliedPosition) -> Result<Option<Position>> {
        self.stream_position(&op.origin).await.map_err(|e| e.during("applied_position", PROVIDER))
    }
}
