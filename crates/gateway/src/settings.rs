//! Settings of the gateway, from the sections `[gateway]` and `[rest]`.

use serde::Deserialize;
use truststream_engines::auth::AuthSettings;
use truststream_engines::storage::StorageSettings;
use truststream_kernel::{Error, Result, units};
use truststream_runtime::Config;

/// All settings of the gateway.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What all protocols share.
    pub gateway: GatewaySettings,
    /// The data API.
    pub rest: RestSettings,
    /// Users and sessions.
    pub auth: AuthSettings,
    /// Limits of storage.
    pub storage: StorageSettings,
}

/// `[gateway]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Port on 127.0.0.1 and ::1; 0 takes a free one.
    pub port: u16,
    /// Largest request body, but for uploads to storage, which have limits of their own.
    #[serde(with = "units::bytes")]
    pub body_limit: u64,
    /// Take the client's address from `X-Forwarded-For`; only behind a proxy that sets it.
    pub trust_forwarded_for: bool,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        GatewaySettings { port: 54321, body_limit: 64 << 20, trust_forwarded_for: false }
    }
}

/// `[rest]`: what operators of PostgREST know as `db-*`, `jwt-*` and `server-*` settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestSettings {
    /// Schemas that can be reached; the first is the default.
    pub schemas: Vec<String>,
    /// Schemas that functions and types are looked for in besides; PostgreSQL backends take it over.
    pub extra_search_path: Vec<String>,
    /// Role of requests without a token; empty lets none in.
    pub anon_role: String,
    /// How transactions end: `commit`, `rollback`, or either followed by `-allow-override`, which
    /// lets `Prefer: tx=` decide.
    pub tx_end: TxEnd,
    /// Most rows in a reply; no limit if absent.
    pub max_rows: Option<u64>,
    /// Whether aggregate functions can be used.
    pub aggregates: bool,
    /// Whether plans can be asked for (`Accept: application/vnd.pgrst.plan`).
    pub plan: bool,
    /// Whether replies carry `Server-Timing`.
    pub server_timing: bool,
    /// What the root tells of the tables: `follow-privileges`, `ignore-privileges` or `disabled`.
    pub openapi_mode: OpenApiMode,
    /// Whether the root says that requests carry tokens (`securityDefinitions`).
    pub openapi_security_active: bool,
}

impl Default for RestSettings {
    fn default() -> Self {
        RestSettings {
            schemas: vec!["public".to_owned()],
            extra_search_path: vec!["public".to_owned(), "extensions".to_owned()],
            anon_role: "anon".to_owned(),
            tx_end: TxEnd::Commit,
            max_rows: None,
            aggregates: false,
            plan: false,
            server_timing: false,
            openapi_mode: OpenApiMode::FollowPrivileges,
            openapi_security_active: false,
        }
    }
}

/// What the root of the data API tells of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenApiMode {
    /// Those that the caller may reach.
    FollowPrivileges,
    /// All of the schema.
    IgnorePrivileges,
    /// Nothing.
    Disabled,
}

/// How transactions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum TxEnd {
    Commit,
    CommitAllowOverride,
    Rollback,
    RollbackAllowOverride,
}

impl TxEnd {
    /// Whether to roll back, given what the request prefers; and whether that preference counted.
    pub fn rolls_back(self, preferred: Option<bool>) -> (bool, bool) {
        match (self, preferred) {
            (TxEnd::CommitAllowOverride | TxEnd::RollbackAllowOverride, Some(rollback)) => (rollback, true),
            (TxEnd::Commit | TxEnd::CommitAllowOverride, _) => (false, false),
            (TxEnd::Rollback | TxEnd::RollbackAllowOverride, _) => (true, false),
        }
    }
}

impl Settings {
    /// Reads the gateway's sections.
    ///
    /// # Errors
    /// `BACKEND_002` with file and line.
    pub fn read(config: &Config) -> Result<Self> {
        let settings = Settings {
            gateway: config.section("gateway")?,
            rest: config.section("rest")?,
            auth: config.section("auth")?,
            storage: config.section("storage")?,
        };
        if settings.rest.schemas.is_empty() {
            return Err(Error::configuration("rest.schemas: expected at least one schema"));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const REFERENCE: &str = include_str!("../../../docs/configuration.md");

    /// Reads a configuration as a gateway does, connecting to nothing.
    fn read(text: &str) -> Result<Settings> {
        let config = Config::from_text(Path::new("."), text)?;
        config.check_providers()?;
        Settings::read(&config)
    }

    fn examples() -> impl Iterator<Item = &'static str> {
        REFERENCE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next())
    }

    #[test]
    fn what_the_reference_says_is_understood_and_the_default() {
        let everything = examples().next().unwrap();
        let told = read(everything).unwrap();
        assert_eq!(format!("{told:?}"), format!("{:?}", Settings::default()));
        let (told, usual) =
            (Config::from_text(Path::new("."), everything).unwrap(), Config::embedded(Path::new(".")));
        let rest = |of: &Config| {
            format!("{:?} {:?} {:?} {:?}", of.file.switch, of.file.health, of.file.control, of.file.layers)
        };
        assert_eq!(rest(&told), rest(&usual));
        // The other providers are there in some builds only.
        let providers = ["sqlite", "postgres"].map(|provider| format!("provider = \"{provider}\""));
        let always_there = |example: &&str| providers.iter().any(|provider| example.contains(provider));
        let read: Vec<_> = examples().filter(always_there).map(|example| read(example).unwrap()).collect();
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn the_reference_has_every_setting() {
        let sections = [
            "gateway",
            "rest",
            "auth",
            "auth.email",
            "auth.password",
            "auth.rate_limit",
            "storage",
            "switch",
            "health",
            "health.breaker",
            "control",
            "layers",
            "layers.retry",
            "layers.timeout",
            "layers.faults",
            "backend.main",
            "backend.main.mirror",
        ];
        let told: Vec<&str> =
            examples().flat_map(str::lines).map(|line| line.trim_start_matches("# ")).collect();
        let is_told = |name: &str| {
            told.iter().any(|line| {
                line.starts_with(&format!("{name} = "))
                    || line
                        .split(']')
                        .next()
                        .is_some_and(|part| part.starts_with('[') && part.ends_with(&format!(".{name}")))
            })
        };
        let of_providers = ["sqlite", "postgres"].map(|provider| {
            format!(
                "[backend.main.database]\nprovider = {provider:?}\nurl = \"postgresql://a/b\"\nnobodys = 1\n"
            )
        });
        let of_sections = sections.map(|section| format!("[{section}]\nto = \"spare\"\nnobodys = 1\n"));
        let mut names = 0;
        for text in of_sections.iter().chain(&of_providers) {
            let error = read(text).unwrap_err();
            let (_, expected) = error.message().split_once("expected").expect("names of settings");
            for name in expected.split('`').skip(1).step_by(2) {
                assert!(is_told(name), "docs/configuration.md lacks `{name}` of\n{text}");
                names += 1;
            }
        }
        assert!(names > 80, "{names}");
    }
}
