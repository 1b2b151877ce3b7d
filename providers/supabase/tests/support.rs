//! Remote projects for tests: TrustStream's own gateway, in this process.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use tokio::sync::oneshot;
use truststream_conformance::passing::Passing;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_gateway::{ApiKeys, GatewayState, Identities, Listening, Services, Settings, app};
use truststream_kernel::Secret;
use truststream_runtime::{Config as ProjectConfig, Runtime};
use truststream_supabase::{Config, helper_script};

/// The secret that the project signs with.
pub const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

/// No provider is taken for down because the machine is busy.
pub const PATIENT: &str = "[health]\ntimeout = \"120s\"\nlatency = \"120s\"\n";

/// A database in memory.
pub const MEMORY: &str = "provider = \"memory\"";

/// Each case's gateway keeps connections of its own until the tests end.
static SERVER: LazyLock<PostgresServer> = LazyLock::new(|| {
    let (tell, told) = std::sync::mpsc::channel();
    // It ends with the thread that started it: a test's would be over too soon.
    std::thread::spawn(move || {
        tell.send(PostgresServer::start(&["max_connections=1000"])).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap().expect("PostgreSQL is installed")
});

/// A new database of PostgreSQL.
pub fn on_postgres() -> String {
    let url = SERVER.new_database().expect("a database");
    format!("provider = \"postgres\"\npool = {{ max = 6, wait_ms = 120000 }}\nurl = \"{url}\"")
}

/// The same for cases that run one after the other, whose databases need not be kept.
pub fn passing_on_postgres(passing: &Passing) -> String {
    let database = on_postgres();
    if let Some(old) = passing.take(name_of(&database).to_owned()) {
        SERVER.drop_database(&old).expect("it is there");
    }
    database
}

fn name_of(database: &str) -> &str {
    database.trim_end_matches('"').rsplit('/').next().unwrap_or_default()
}

/// Runs TrustStream's helper script in a project's database, as its owner does.
pub fn install_helper(database: &str) {
    run_inside(database, &helper_script());
}

/// Runs SQL in a project's database.
pub fn run_inside(database: &str, sql: &str) {
    SERVER.sql(name_of(database), sql).unwrap();
}

/// A project that serves as long as this value lives.
pub struct Remote {
    /// The project, from the inside.
    pub inside: Arc<Runtime>,
    /// How it is reached with its URL and keys only.
    pub keys: Config,
    _serving: oneshot::Sender<()>,
}

impl Remote {
    /// Starts a project on a database.
    pub async fn start(database: &str) -> Remote {
        let text = format!(
            "[backend.main.database]\n{database}\n[backend.main.storage]\nprovider = \"memory\"\n\
             {PATIENT}[auth]\njwt_secret = \"{SECRET}\"\n\
             [rest]\naggregates = true\nplan = true\ntx_end = \"commit-allow-override\"\n"
        );
        let config = ProjectConfig::from_text(Path::new(""), &text).unwrap();
        let settings = Settings::read(&config).unwrap();
        let listening = Listening::bind(0).await.unwrap();
        let port = listening.port();
        let inside = Runtime::open_in_memory(config).await.unwrap();
        let (serving, gone) = oneshot::channel();
        let stop = async move { gone.await.unwrap_or(()) };
        tokio::spawn(listening.serve(router(&inside, settings), stop));
        let key = |role| inside.keys().api_key(role).unwrap();
        let mut keys = Config::new(format!("http://127.0.0.1:{port}"), key("service_role"));
        keys.anon_key = Some(Secret::new(key("anon")));
        keys.rollback = true;
        Remote { inside, keys, _serving: serving }
    }

    /// The same, and TrustStream knows the project's secret.
    pub fn with_secret(&self) -> Config {
        Config { jwt_secret: Some(SECRET.into()), ..self.keys.clone() }
    }
}

fn router(runtime: &Runtime, settings: Settings) -> axum::Router {
    let services = Services {
        database: runtime.database().clone(),
        auth: runtime.auth().clone(),
        storage: runtime.storage().clone(),
        realtime: runtime.realtime().clone(),
    };
    let service_role = Some(Secret::new(runtime.keys().api_key("service_role").unwrap()));
    let keys = ApiKeys { service_role, ..ApiKeys::default() };
    let identities = Identities::new(services.auth.clone(), &settings.rest.anon_role, keys);
    app(GatewayState {
        services: Arc::new(services),
        identities: Arc::new(identities),
        settings: Arc::new(settings),
    })
}
