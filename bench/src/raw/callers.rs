//! Who asks: what a backend has to find out before it may ask PostgreSQL in somebody's name.

use anyhow::{Context as _, Result};
use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

/// The role that callers of the benchmark have.
pub const ROLE: &str = "bench_caller";

/// What tokens are verified with.
pub struct Callers {
    key: DecodingKey,
    validation: Validation,
}

/// A verified caller.
pub struct Caller {
    pub role: String,
    /// As JSON, as policies read them.
    pub claims: String,
}

impl Callers {
    pub fn new(key: &str) -> Self {
        Callers {
            key: DecodingKey::from_secret(key.as_bytes()),
            validation: Validation::new(Algorithm::HS256),
        }
    }

    /// The caller that the bearer token names; an error if it is not valid.
    pub fn verify(&self, headers: &HeaderMap) -> Result<Caller> {
        let value = headers.get(header::AUTHORIZATION).context("no authorization")?;
        let token = value.to_str()?.strip_prefix("Bearer ").context("not a bearer token")?;
        let claims: Value = jsonwebtoken::decode(token, &self.key, &self.validation)?.claims;
        let role = claims["role"].as_str().context("no role")?.to_owned();
        Ok(Caller { role, claims: claims.to_string() })
    }
}

/// A token of the benchmark's role that outlives every run.
pub fn token(key: &str) -> Result<String> {
    let expires = jsonwebtoken::get_current_timestamp() + 30 * 24 * 3600;
    let claims = json!({ "role": ROLE, "exp": expires });
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()))?)
}

/// The role, and the policies that let it do what the benchmark does.
pub fn policies(tables: &[&str]) -> String {
    let role = format!(
        "do $$ begin create role {ROLE} nologin; exception when duplicate_object then null; end $$;\n\
         grant {ROLE} to current_user;\n"
    );
    let of = |table: &&str| {
        format!(
            "grant select, insert on {table} to {ROLE};\n\
             alter table {table} enable row level security;\n\
             drop policy if exists callers_read on {table};\n\
             drop policy if exists callers_add on {table};\n\
             create policy callers_read on {table} for select to {ROLE} using (true);\n\
             create policy callers_add on {table} for insert to {ROLE} with check (true);\n"
        )
    };
    role + &tables.iter().map(of).collect::<String>()
}
