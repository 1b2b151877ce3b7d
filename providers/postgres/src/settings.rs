//! What the roles of the database have set (`alter role … set`): for the requests of a role, and on
//! the connecting role what PostgREST reads there (`pgrst.*`).

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use truststream_kernel::{Caller, Context};

use crate::config::Config;

/// Settings of PostgREST that belong to the gateway, which serves other databases as well.
const GATEWAYS: &str = "set it in [rest], [auth] or [gateway] of truststream.toml";

/// The settings that requests run with. Replaced as a whole when the schema is read.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// A function that is called at the beginning of each request.
    pub(crate) pre_request: Option<String>,
    /// Schemas searched after the request's own one.
    pub(crate) extra_search_path: Vec<String>,
    /// What functions and policies read with `current_setting`.
    pub(crate) app: BTreeMap<String, String>,
    /// Whether anything that runs when something is read may look at the request's method, path, headers or
    /// cookies.
    pub(crate) reads_request: bool,
    /// What a statement of a session may take that says nothing else, in milliseconds; 0 is no limit.
    pub(crate) statement_timeout: u64,
    roles: HashMap<String, RoleSettings>,
}

/// What a role has set.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RoleSettings {
    /// `default_transaction_isolation`
    pub(crate) isolation: Option<String>,
    /// Milliseconds; 0 is no limit.
    pub(crate) statement_timeout: Option<u64>,
    /// Names and values.
    pub(crate) others: Vec<(String, String)>,
}

/// As the database tells it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Stored {
    reads_request: bool,
    statement_timeout: u64,
    roles: HashMap<String, RoleSettings>,
    own: BTreeMap<String, String>,
}

impl Settings {
    /// What is configured, and what the database says instead.
    pub(crate) fn new(config: &Config, stored: Stored) -> Self {
        let mut settings = Settings {
            pre_request: config.pre_request.clone(),
            extra_search_path: config.extra_search_path.clone(),
            app: config.app_settings.clone(),
            reads_request: stored.reads_request,
            statement_timeout: config.statement_timeout_ms.unwrap_or(stored.statement_timeout),
            roles: stored.roles,
        };
        if config.role_config {
            stored.own.into_iter().for_each(|(name, value)| settings.take(&name, value));
        }
        settings
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            "db_pre_request" => self.pre_request = Some(value).filter(|name| !name.is_empty()),
            "db_extra_search_path" => {
                let schemas = value.split(',').map(|name| name.trim().trim_matches('"').to_owned());
                self.extra_search_path = schemas.filter(|name| !name.is_empty()).collect();
            }
            _ if name.starts_with("app.settings.") => {
                self.app.insert(name.to_owned(), value);
            }
            _ => tracing::warn!("pgrst.{name} of the connecting role is not taken: {GATEWAYS}"),
        }
    }

    /// What the role of a caller has set.
    pub(crate) fn of(&self, cx: &Context) -> Option<&RoleSettings> {
        match &cx.caller {
            Caller::Role(identity) => self.roles.get(&identity.role),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_counts_before_the_configuration_unless_it_is_not_asked() {
        let stored = || Stored {
            reads_request: false,
            statement_timeout: 0,
            roles: HashMap::new(),
            own: [
                ("db_pre_request", "checks.run"),
                ("db_extra_search_path", "a, \"B\""),
                ("app.settings.x", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        };
        let mut config = Config::new("postgres://localhost");
        config.pre_request = Some("public.check".to_owned());
        let settings = Settings::new(&config, stored());
        assert_eq!(settings.pre_request.as_deref(), Some("checks.run"));
        assert_eq!(settings.extra_search_path, ["a", "B"]);
        assert_eq!(settings.app["app.settings.x"], "1");
        config.role_config = false;
        let settings = Settings::new(&config, stored());
        assert_eq!(settings.pre_request.as_deref(), Some("public.check"));
        assert_eq!(settings.extra_search_path, ["public", "extensions"]);
        assert!(settings.app.is_empty());
    }
}
