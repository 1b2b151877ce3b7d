use truststream_services::auth::{GetUser, SignOut, SignOutScope};
use truststream_services::database::{Filter, Query, TableName, Update};

use super::{Backend, Bench, PASSWORD, refused};

crate::cases! {
    a_wrong_password_and_an_unknown_user_are_not_told_apart,
    refreshing_gives_new_tokens_for_the_same_session,
    an_answer_that_was_lost_is_given_again,
    within_the_interval_any_old_token_gives_the_present_one,
    reuse_of_an_old_token_ends_its_session_and_no_other,
    without_rotation_reuse_is_refused_and_ends_nothing,
    an_interval_ends,
    signing_out_here_there_and_everywhere,
}

async fn a_wrong_password_and_an_unknown_user_are_not_told_apart(backend: Backend) {
    let bench = Bench::new(backend).await;
    let first = bench.session("a@example.com").await;
    let second = bench.sign_in("A@Example.com", PASSWORD).await.unwrap();
    assert_eq!(first.user.id, second.user.id);
    assert_ne!(first.refresh_token, second.refresh_token);
    let wrong = bench.sign_in("a@example.com", "wrong password").await.unwrap_err();
    let unknown = bench.sign_in("b@example.com", "wrong password").await.unwrap_err();
    assert_eq!((wrong.code(), wrong.message()), ("invalid_credentials", "Invalid login credentials"));
    assert_eq!(
        (wrong.code(), wrong.message(), wrong.kind()),
        (unknown.code(), unknown.message(), unknown.kind())
    );
    assert_eq!(refused(bench.sign_in("", PASSWORD).await), "validation_failed");
}

async fn refreshing_gives_new_tokens_for_the_same_session(backend: Backend) {
    let bench = Bench::new(backend).await;
    let before = bench.session("a@example.com").await;
    let after = bench.refresh(&before.refresh_token).await.unwrap();
    assert_ne!(before.refresh_token, after.refresh_token);
    let claims = |auth: truststream_services::auth::Auth| auth.context().identity().unwrap().claims.clone();
    let (old, new) = (claims(bench.of(&before).await), claims(bench.of(&after).await));
    assert_eq!(old["session_id"], new["session_id"]);
    assert_eq!(old["amr"], new["amr"]);
    assert_eq!(refused(bench.refresh("nobody's token").await), "refresh_token_not_found");
}

async fn an_answer_that_was_lost_is_given_again(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.refresh_token_reuse_interval = 0).await;
    let first = bench.session("a@example.com").await.refresh_token;
    let second = bench.refresh(&first).await.unwrap().refresh_token;
    assert_eq!(bench.refresh(&first).await.unwrap().refresh_token, second);
}

async fn within_the_interval_any_old_token_gives_the_present_one(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.refresh_token_reuse_interval = 3600).await;
    let first = bench.session("a@example.com").await.refresh_token;
    let second = bench.refresh(&first).await.unwrap().refresh_token;
    let third = bench.refresh(&second).await.unwrap().refresh_token;
    assert_eq!(bench.refresh(&first).await.unwrap().refresh_token, third);
}

async fn reuse_of_an_old_token_ends_its_session_and_no_other(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.refresh_token_reuse_interval = 0).await;
    let session = bench.session("a@example.com").await;
    let other = bench.sign_in("a@example.com", PASSWORD).await.unwrap();
    let second = bench.refresh(&session.refresh_token).await.unwrap();
    let third = bench.refresh(&second.refresh_token).await.unwrap();
    let error = bench.refresh(&session.refresh_token).await.unwrap_err();
    assert_eq!(error.code(), "refresh_token_already_used");
    assert_eq!(error.message(), "Invalid Refresh Token: Already Used");
    for token in [&second.refresh_token, &third.refresh_token, &session.refresh_token] {
        bench.refresh(token).await.unwrap_err();
    }
    assert_eq!(refused(bench.of(&third).await.send(GetUser).await), "session_not_found");
    bench.refresh(&other.refresh_token).await.unwrap();
}

async fn without_rotation_reuse_is_refused_and_ends_nothing(backend: Backend) {
    let bench = Bench::with(backend, |settings| {
        settings.refresh_token_reuse_interval = 0;
        settings.enable_refresh_token_rotation = false;
    })
    .await;
    let first = bench.session("a@example.com").await.refresh_token;
    let second = bench.refresh(&first).await.unwrap().refresh_token;
    let third = bench.refresh(&second).await.unwrap().refresh_token;
    assert_eq!(refused(bench.refresh(&first).await), "refresh_token_already_used");
    bench.refresh(&third).await.unwrap();
}

async fn an_interval_ends(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.refresh_token_reuse_interval = 3600).await;
    let first = bench.session("a@example.com").await.refresh_token;
    let second = bench.refresh(&first).await.unwrap().refresh_token;
    bench.refresh(&second).await.unwrap();
    bench.refresh(&first).await.unwrap();
    // As if it were long ago.
    let mut used = Query::all();
    used.and(Filter::eq("revoked", "true"));
    let then = r#"{"updated_at":"2020-01-01T00:00:00Z"}"#.to_owned();
    let update = Update::new(TableName::new("auth", "refresh_tokens"), then, used);
    bench.database.database.send(update).await.unwrap();
    assert_eq!(refused(bench.refresh(&first).await), "refresh_token_already_used");
}

async fn signing_out_here_there_and_everywhere(backend: Backend) {
    for (scope, here_lasts, there_lasts) in [
        (SignOutScope::Local, false, true),
        (SignOutScope::Others, true, false),
        (SignOutScope::Global, false, false),
    ] {
        let bench = Bench::new(backend).await;
        let here = bench.session("a@example.com").await;
        let there = bench.sign_in("a@example.com", PASSWORD).await.unwrap();
        let stranger = bench.session("b@example.com").await;
        bench.of(&here).await.send(SignOut { scope }).await.unwrap();
        for (session, lasts) in [(&here, here_lasts), (&there, there_lasts), (&stranger, true)] {
            let user = bench.of(session).await.send(GetUser).await;
            let refreshed = bench.refresh(&session.refresh_token).await;
            if lasts {
                user.unwrap();
                refreshed.unwrap();
            } else {
                assert_eq!(refused(user), "session_not_found", "{scope:?}");
                assert_eq!(refused(refreshed), "refresh_token_not_found", "{scope:?}");
            }
        }
    }
}
