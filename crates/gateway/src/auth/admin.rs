//! Users, for operators.

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind, Result, Secret};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteUser, AdminGetUser, AdminListUsers, AdminUpdateUser, Object, UserAttributes,
};
use url::form_urlencoded;

use super::AuthApi;
use super::body::{read, read_or_default};
use super::reply::{Reply, json_reply};

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
const USERS_ON_A_PAGE: u64 = 50;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    id: Option<String>,
    role: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    password: Option<Secret>,
    password_hash: Option<Secret>,
    email_confirm: Option<bool>,
    phone_confirm: Option<bool>,
    user_metadata: Option<Object>,
    app_metadata: Option<Object>,
    ban_duration: Option<String>,
}

impl From<Attributes> for UserAttributes {
    fn from(given: Attributes) -> Self {
        UserAttributes {
            role: given.role,
            email: given.email,
            phone: given.phone,
            password: given.password,
            password_hash: given.password_hash.filter(|hash| !hash.expose().is_empty()),
            email_confirm: given.email_confirm.unwrap_or_default(),
            phone_confirm: given.phone_confirm.unwrap_or_default(),
            user_metadata: given.user_metadata,
            app_metadata: given.app_metadata,
            ban_duration: given.ban_duration,
        }
    }
}

pub(super) async fn create(State(api): State<AuthApi>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let auth = api.as_admin(&parts.headers).await?;
    let mut given: Attributes = read(&parts.headers, body).await?;
    let create = AdminCreateUser { id: given.id.take(), attributes: given.into() };
    json_reply(&auth.send(create).await?)
}

pub(super) async fn show(State(api): State<AuthApi>, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    let auth = api.as_admin(&headers).await?;
    json_reply(&auth.send(AdminGetUser { id }).await?)
}

pub(super) async fn update(State(api): State<AuthApi>, Path(id): Path<String>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let auth = api.as_admin(&parts.headers).await?;
    let given: Attributes = read(&parts.headers, body).await?;
    json_reply(&auth.send(AdminUpdateUser { id, attributes: given.into() }).await?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Removal {
    should_soft_delete: bool,
}

pub(super) async fn remove(State(api): State<AuthApi>, Path(id): Path<String>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let auth = api.as_admin(&parts.headers).await?;
    let removal: Removal = read_or_default(&parts.headers, body).await?;
    auth.send(AdminDeleteUser { id, soft: removal.should_soft_delete }).await?;
    json_reply(&json!({}))
}

pub(super) async fn list(State(api): State<AuthApi>, RawQuery(query): RawQuery, headers: HeaderMap) -> Reply {
    let auth = api.as_admin(&headers).await?;
    let mut list = AdminListUsers { page: 1, per_page: USERS_ON_A_PAGE, filter: None };
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "page" if !value.is_empty() => list.page = number(&value)?.max(1),
            "per_page" if !value.is_empty() => list.per_page = number(&value)?,
            "filter" if value.contains('\0') => return Err(bad_page("invalid filter").into()),
            "filter" => list.filter = Some(value.into_owned()),
            _ => {}
        }
    }
    if list.per_page == 0 {
        return Err(bad_page("per_page must be greater than 0").into());
    }
    let links = Links { list: list.clone() };
    let page = auth.send(list).await?;
    let mut response = json_reply(&json!({ "users": page.users, "aud": page.aud }))?;
    let headers = response.headers_mut();
    if let Ok(links) = HeaderValue::try_from(links.text(page.total)) {
        headers.insert(header::LINK, links);
    }
    headers.insert(TOTAL, HeaderValue::from(page.total));
    Ok(response)
}

/// The pages around one.
struct Links {
    list: AdminListUsers,
}

impl Links {
    fn text(&self, total: u64) -> String {
        let last = total.div_ceil(self.list.per_page);
        let mut links = Vec::new();
        if last > self.list.page {
            links.push(format!("<{}>; rel=\"next\"", self.url(self.list.page + 1)));
        }
        links.push(format!("<{}>; rel=\"last\"", self.url(last)));
        links.join(", ")
    }

    /// Clients read the page from behind the first `=`.
    fn url(&self, page: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("page", &page.to_string());
        query.append_pair("per_page", &self.list.per_page.to_string());
        if let Some(filter) = &self.list.filter {
            query.append_pair("filter", filter);
        }
        format!("/admin/users?{}", query.finish())
    }
}

fn number(text: &str) -> Result<u64> {
    match text.parse::<u64>() {
        Ok(number) if i64::try_from(number).is_ok() => Ok(number),
        _ => Err(bad_page("invalid number")),
    }
}

fn bad_page(what: &str) -> Error {
    let message = format!("Bad Pagination Parameters: {what}");
    Error::new(ErrorKind::InvalidInput, "validation_failed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_and_the_last_page() {
        let links = |page, filter: Option<&str>| {
            let filter = filter.map(str::to_owned);
            Links { list: AdminListUsers { page, per_page: 2, filter } }.text(5)
        };
        assert_eq!(
            links(1, None),
            "</admin/users?page=2&per_page=2>; rel=\"next\", </admin/users?page=3&per_page=2>; rel=\"last\""
        );
        assert_eq!(links(3, Some("a b")), "</admin/users?page=3&per_page=2&filter=a+b>; rel=\"last\"");
    }
}
