use serde_json::json;
use truststream_services::auth::{Authenticate, GetUser, SignUp, SignedUp};

use super::{Backend, Bench, PASSWORD, refused, sign_up};

crate::cases! {
    makes_a_user_and_signs_it_in,
    an_address_belongs_to_one_user_in_any_case,
    what_can_not_be_a_user_is_refused,
    where_addresses_are_confirmed_nobody_learns_which_are_known,
    anonymous_users_can_become_somebody,
}

async fn makes_a_user_and_signs_it_in(backend: Backend) {
    let bench = Bench::new(backend).await;
    let data = json!({ "nickname": "Newt" }).as_object().unwrap().clone();
    let signed_up = bench.auth.send(SignUp { data, ..sign_up("New.Person@Example.com") }).await.unwrap();
    let SignedUp::Session(session) = signed_up else { panic!("not signed in") };
    let user = &session.user;
    assert_eq!(user.email, "new.person@example.com");
    assert_eq!((user.aud.as_str(), user.role.as_str()), ("authenticated", "authenticated"));
    assert_eq!(json!(user.app_metadata), json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(user.user_metadata["nickname"], "Newt");
    assert_eq!(user.identities[0].identity_data["email"], "new.person@example.com");
    assert!(user.email_confirmed_at.is_some() && user.confirmed_at == user.email_confirmed_at);
    assert_eq!((session.token_type.as_str(), session.expires_in), ("bearer", 3600));
    let kept = bench.of(&session).await.send(GetUser).await.unwrap();
    assert_eq!(json!(kept), json!(session.user));
    let token = session.access_token.clone();
    let claims = bench.auth.send(Authenticate { token }).await.unwrap().claims;
    assert_eq!(claims["sub"], json!(user.id));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert_eq!((&claims["aal"], &claims["amr"][0]["method"]), (&json!("aal1"), &json!("password")));
    for name in ["email", "phone", "app_metadata", "user_metadata", "role", "session_id", "is_anonymous"] {
        assert!(claims.contains_key(name), "{name}");
    }
}

async fn an_address_belongs_to_one_user_in_any_case(backend: Backend) {
    let bench = Bench::new(backend).await;
    bench.session("one@example.com").await;
    let error = bench.auth.send(sign_up("ONE@example.com")).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("user_already_exists", "User already registered"));
}

async fn what_can_not_be_a_user_is_refused(backend: Backend) {
    let bench = Bench::new(backend).await;
    let with = |email: &str, password: &str| SignUp {
        email: Some(email.to_owned()),
        password: Some(password.into()),
        ..SignUp::default()
    };
    for (request, code) in [
        (with("a@example.com", "short"), "weak_password"),
        (with("a@example.com", ""), "validation_failed"),
        (with("a@example.com", &"x".repeat(73)), "validation_failed"),
        (with("no address", PASSWORD), "validation_failed"),
        (SignUp { phone: Some("123".to_owned()), ..with("a@example.com", PASSWORD) }, "validation_failed"),
        (SignUp { phone: Some("123".to_owned()), ..with("", PASSWORD) }, "phone_provider_disabled"),
        (SignUp::default(), "anonymous_provider_disabled"),
    ] {
        assert_eq!(refused(bench.auth.send(request).await), code);
    }
    let closed = Bench::with(backend, |settings| settings.enable_signup = false).await;
    assert_eq!(refused(closed.auth.send(sign_up("a@example.com")).await), "signup_disabled");
}

async fn where_addresses_are_confirmed_nobody_learns_which_are_known(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.email.enable_confirmations = true).await;
    let mut users = Vec::new();
    for _ in 0..2 {
        let SignedUp::Unconfirmed(user) = bench.auth.send(sign_up("a@example.com")).await.unwrap() else {
            panic!("signed in although the address is not confirmed")
        };
        users.push(user);
    }
    assert_ne!(users[0].id, users[1].id);
    assert_eq!(users[0].email, users[1].email);
    assert!(
        users.iter().all(|user| user.email_confirmed_at.is_none() && user.confirmation_sent_at.is_some())
    );
    assert_eq!(refused(bench.sign_in("a@example.com", PASSWORD).await), "email_not_confirmed");
    assert_eq!(refused(bench.sign_in("a@example.com", "wrong password").await), "invalid_credentials");
}

async fn anonymous_users_can_become_somebody(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.enable_anonymous_sign_ins = true).await;
    let SignedUp::Session(session) = bench.auth.send(SignUp::default()).await.unwrap() else {
        panic!("not signed in")
    };
    assert!(session.user.is_anonymous && session.user.email.is_empty() && session.user.identities.is_empty());
    let auth = bench.of(&session).await;
    assert_eq!(auth.context().identity().unwrap().claims["is_anonymous"], true);
    let update = truststream_services::auth::UpdateUser {
        email: Some("named@example.com".to_owned()),
        password: Some(PASSWORD.into()),
        ..Default::default()
    };
    let user = auth.send(update).await.unwrap();
    assert!(!user.is_anonymous && user.email_confirmed_at.is_some());
    assert_eq!(user.app_metadata["providers"], json!(["email"]));
    assert_eq!(bench.sign_in("named@example.com", PASSWORD).await.unwrap().user.id, session.user.id);
}
