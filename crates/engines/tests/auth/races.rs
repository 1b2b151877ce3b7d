//! Several requests at the same moment.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use truststream_services::auth::{AdminListUsers, GetUser, UpdateUser};

use super::{Backend, Bench, PASSWORD, sign_up};

crate::cases! {
    sign_ups_of_one_address_make_one_user,
    refreshes_of_one_token_give_one_token,
    changes_of_one_user_are_all_kept,
    sign_ins_with_a_foreign_hash_all_succeed_while_it_is_renewed,
}

async fn sign_ups_of_one_address_make_one_user(backend: Backend) {
    let bench = Bench::new(backend).await;
    let results = join_all((0..8).map(|_| bench.auth.send(sign_up("a@example.com")))).await;
    let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for error in refused {
        assert_eq!(error.unwrap_err().code(), "user_already_exists");
    }
    let list = AdminListUsers { page: 1, per_page: 50, filter: None };
    assert_eq!(bench.auth.send(list).await.unwrap().total, 1);
}

async fn refreshes_of_one_token_give_one_token(backend: Backend) {
    let bench = Bench::new(backend).await;
    let token = bench.session("a@example.com").await.refresh_token;
    let sessions = join_all((0..12).map(|_| bench.refresh(&token))).await;
    let tokens: BTreeSet<_> = sessions.into_iter().map(|session| session.unwrap().refresh_token).collect();
    assert_eq!(tokens.len(), 1);
    bench.refresh(tokens.first().unwrap()).await.unwrap();
}

async fn changes_of_one_user_are_all_kept(backend: Backend) {
    let bench = Bench::new(backend).await;
    let auth = bench.of(&bench.session("a@example.com").await).await;
    let changes = (0..4).map(|n| {
        let data = json!({ format!("key{n}"): n }).as_object().cloned();
        auth.send(UpdateUser { data, ..UpdateUser::default() })
    });
    for changed in join_all(changes).await {
        changed.unwrap();
    }
    let user = auth.send(GetUser).await.unwrap();
    assert!((0..4).all(|n| user.user_metadata[&format!("key{n}")] == n), "{:?}", user.user_metadata);
}

async fn sign_ins_with_a_foreign_hash_all_succeed_while_it_is_renewed(backend: Backend) {
    let bench = Bench::new(backend).await;
    super::admin::import(&bench, "a@example.com").await;
    for session in join_all((0..4).map(|_| bench.sign_in("a@example.com", super::admin::IMPORTED))).await {
        session.unwrap();
    }
    assert!(bench.sign_in("a@example.com", PASSWORD).await.is_err());
}
