use serde_json::{Map, json};
use truststream_kernel::{Context, Identity};
use truststream_services::auth::{GetUser, Object, UpdateUser};

use super::{Backend, Bench, PASSWORD, refused};

crate::cases! {
    metadata_is_merged_and_nulls_remove,
    a_new_password_ends_the_other_sessions,
    an_address_can_be_changed_but_not_taken,
    a_changed_address_waits_for_its_confirmation_where_addresses_are_confirmed,
    rights_are_not_for_the_user_to_change,
    only_a_user_with_a_session_is_somebody,
}

fn object(json: serde_json::Value) -> Object {
    json.as_object().unwrap().clone()
}

async fn metadata_is_merged_and_nulls_remove(backend: Backend) {
    let bench = Bench::new(backend).await;
    let auth = bench.of(&bench.session("a@example.com").await).await;
    let change = |data| UpdateUser { data: Some(object(data)), ..UpdateUser::default() };
    auth.send(change(json!({ "a": 1, "b": { "c": [1] } }))).await.unwrap();
    let user = auth.send(change(json!({ "a": null, "d": 2 }))).await.unwrap();
    assert!(!user.user_metadata.contains_key("a"));
    assert_eq!((&user.user_metadata["b"], &user.user_metadata["d"]), (&json!({ "c": [1] }), &json!(2)));
    assert_eq!(json!(auth.send(GetUser).await.unwrap()), json!(user));
}

async fn a_new_password_ends_the_other_sessions(backend: Backend) {
    let bench = Bench::new(backend).await;
    let here = bench.session("a@example.com").await;
    let there = bench.sign_in("a@example.com", PASSWORD).await.unwrap();
    let auth = bench.of(&here).await;
    let password = |text: &str| UpdateUser { password: Some(text.into()), ..UpdateUser::default() };
    assert_eq!(refused(auth.send(password(PASSWORD)).await), "same_password");
    assert_eq!(refused(auth.send(password("weak")).await), "weak_password");
    auth.send(password("a brand new one")).await.unwrap();
    assert_eq!(refused(bench.sign_in("a@example.com", PASSWORD).await), "invalid_credentials");
    bench.sign_in("a@example.com", "a brand new one").await.unwrap();
    bench.refresh(&here.refresh_token).await.unwrap();
    assert_eq!(refused(bench.refresh(&there.refresh_token).await), "refresh_token_not_found");
    assert_eq!(refused(bench.of(&there).await.send(GetUser).await), "session_not_found");
}

async fn an_address_can_be_changed_but_not_taken(backend: Backend) {
    let bench = Bench::new(backend).await;
    let session = bench.session("a@example.com").await;
    bench.session("b@example.com").await;
    let auth = bench.of(&session).await;
    let email = |text: &str| UpdateUser { email: Some(text.to_owned()), ..UpdateUser::default() };
    assert_eq!(refused(auth.send(email("B@example.com")).await), "email_exists");
    let user = auth.send(email("C@example.com")).await.unwrap();
    assert_eq!(user.email, "c@example.com");
    assert_eq!(user.identities.len(), 1);
    assert_eq!(user.identities[0].identity_data["email"], "c@example.com");
    bench.sign_in("c@example.com", PASSWORD).await.unwrap();
    assert_eq!(refused(bench.sign_in("a@example.com", PASSWORD).await), "invalid_credentials");
}

async fn a_changed_address_waits_for_its_confirmation_where_addresses_are_confirmed(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.email.enable_confirmations = true).await;
    let create = truststream_services::auth::AdminCreateUser {
        attributes: truststream_services::auth::UserAttributes {
            email: Some("a@example.com".to_owned()),
            password: Some(PASSWORD.into()),
            email_confirm: true,
            ..Default::default()
        },
        ..Default::default()
    };
    bench.auth.send(create).await.unwrap();
    let auth = bench.of(&bench.sign_in("a@example.com", PASSWORD).await.unwrap()).await;
    let update = UpdateUser { email: Some("b@example.com".to_owned()), ..UpdateUser::default() };
    let user = auth.send(update).await.unwrap();
    assert_eq!((user.email.as_str(), user.new_email.as_deref()), ("a@example.com", Some("b@example.com")));
}

async fn rights_are_not_for_the_user_to_change(backend: Backend) {
    let bench = Bench::new(backend).await;
    let auth = bench.of(&bench.session("a@example.com").await).await;
    let climb = UpdateUser { app_metadata: Some(object(json!({ "admin": true }))), ..UpdateUser::default() };
    assert_eq!(refused(auth.send(climb).await), "not_admin");
    let user = auth.send(GetUser).await.unwrap();
    assert_eq!(json!(user.app_metadata), json!({ "provider": "email", "providers": ["email"] }));
}

async fn only_a_user_with_a_session_is_somebody(backend: Backend) {
    let bench = Bench::new(backend).await;
    let as_claims = |claims: serde_json::Value| {
        bench.auth.with(Context::of(Identity::new("authenticated", object(claims))))
    };
    let ghost = "00000000-0000-4000-8000-000000000001";
    let someone = bench.session("a@example.com").await.user.id;
    let other = bench.of(&bench.session("b@example.com").await).await;
    let foreign = other.context().identity().unwrap().claims["session_id"].clone();
    for (claims, code) in [
        (json!({}), "bad_jwt"),
        (json!({ "sub": "me" }), "bad_jwt"),
        (json!({ "sub": ghost }), "user_not_found"),
        (json!({ "sub": someone, "session_id": ghost }), "session_not_found"),
        (json!({ "sub": someone, "session_id": foreign }), "session_not_found"),
        (json!({ "sub": someone, "session_id": "'; drop table auth.users --" }), "bad_jwt"),
    ] {
        assert_eq!(refused(as_claims(claims.clone()).send(GetUser).await), code, "{claims}");
    }
    assert_eq!(refused(bench.auth.send(GetUser).await), "no_authorization");
    let anonymous = bench.auth.with(Context::of(Identity::new("anon", Map::new())));
    assert_eq!(refused(anonymous.send(GetUser).await), "bad_jwt");
}
