use serde_json::json;
use truststream_kernel::{Context, Secret};
use truststream_services::auth::{
    AdminCreateUser, AdminDeleteUser, AdminGetUser, AdminListUsers, AdminUpdateUser, GetUser, User,
    UserAttributes,
};
use truststream_services::database::{Field, Filter, Item, Query, Select, TableName};

use super::{Backend, Bench, PASSWORD, refused};

crate::cases! {
    creates_what_is_asked_for,
    refuses_what_can_not_be_a_user,
    passwords_hashed_elsewhere_are_believed_and_renewed,
    lists_the_newest_first_page_by_page,
    updates_and_signs_out_with_a_new_password,
    a_ban_keeps_out_and_its_end_lets_in_again,
    who_is_deleted_is_gone_with_all_sessions,
    nobody_else_may,
}

pub const IMPORTED: &str = "imported-password-1";
const BCRYPT: &str = "$2a$10$2gcZ82sZ4vUn/7UQdAmyau2GRWSdBy1YrMgZ/rOc8CZiEa8CgoaJy";
const ARGON2ID: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$O+MHrjFIG3CT/4V48VEU6Q$3C66ZzyWlajNoZIdbdZE5EAhWSPeOvb3UL7qfivK940";

fn with(email: &str) -> UserAttributes {
    UserAttributes {
        email: Some(email.to_owned()),
        password: Some(PASSWORD.into()),
        email_confirm: true,
        ..UserAttributes::default()
    }
}

async fn create(bench: &Bench, attributes: UserAttributes) -> truststream_kernel::Result<User> {
    bench.auth.send(AdminCreateUser { id: None, attributes }).await
}

async fn update(bench: &Bench, id: &str, attributes: UserAttributes) -> truststream_kernel::Result<User> {
    bench.auth.send(AdminUpdateUser { id: id.to_owned(), attributes }).await
}

/// A user whose password was hashed elsewhere.
pub async fn import(bench: &Bench, email: &str) {
    let hash = Some(Secret::new(BCRYPT));
    create(bench, UserAttributes { password: None, password_hash: hash, ..with(email) }).await.unwrap();
}

async fn hash_of(bench: &Bench, id: &str) -> String {
    let item =
        Item::Column { field: Field::column("encrypted_password"), alias: None, cast: None, aggregate: None };
    let query = Query { items: vec![item], filter: Some(Filter::eq("id", id)), ..Query::default() };
    let page =
        bench.database.database.send(Select::new(TableName::new("auth", "users"), query)).await.unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    rows[0]["encrypted_password"].as_str().unwrap().to_owned()
}

async fn creates_what_is_asked_for(backend: Backend) {
    let bench = Bench::new(backend).await;
    let id = "7d1c3c07-6a0b-4b0e-9c50-0e0f1a2b3c4d".to_owned();
    let attributes = UserAttributes {
        user_metadata: json!({ "name": "Full" }).as_object().cloned(),
        app_metadata: json!({ "plan": "pro" }).as_object().cloned(),
        ..with("Full@example.com")
    };
    let user = bench.auth.send(AdminCreateUser { id: Some(id.clone()), attributes }).await.unwrap();
    assert_eq!((user.id.as_str(), user.email.as_str()), (id.as_str(), "full@example.com"));
    assert_eq!(
        json!(user.app_metadata),
        json!({ "provider": "email", "providers": ["email"], "plan": "pro" })
    );
    let read = bench.auth.send(AdminGetUser { id: id.clone() }).await.unwrap();
    assert_eq!(json!(read), json!(user));
    bench.sign_in("full@example.com", PASSWORD).await.unwrap();
    let again = AdminCreateUser { id: Some(id), attributes: with("other@example.com") };
    assert_eq!(refused(bench.auth.send(again).await), "user_already_exists");
}

async fn refuses_what_can_not_be_a_user(backend: Backend) {
    let bench = Bench::new(backend).await;
    create(&bench, with("taken@example.com")).await.unwrap();
    let hash = |hash: &str| UserAttributes {
        password: None,
        password_hash: Some(Secret::new(hash)),
        ..with("new@example.com")
    };
    for (attributes, code) in [
        (with("taken@example.com"), "email_exists"),
        (UserAttributes::default(), "validation_failed"),
        (UserAttributes { password: Some(PASSWORD.into()), ..hash(BCRYPT) }, "validation_failed"),
        (hash("5f4dcc3b5aa765d61d8327deb882cf99"), "validation_failed"),
        (hash("$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$aGFzaA"), "validation_failed"),
        (
            UserAttributes { ban_duration: Some("for ever".to_owned()), ..with("b@example.com") },
            "validation_failed",
        ),
    ] {
        assert_eq!(refused(create(&bench, attributes).await), code);
    }
    for id in ["12", "00000000-0000-0000-0000-000000000000"] {
        let create = AdminCreateUser { id: Some(id.to_owned()), attributes: with("id@example.com") };
        assert_eq!(refused(bench.auth.send(create).await), "validation_failed");
    }
}

async fn passwords_hashed_elsewhere_are_believed_and_renewed(backend: Backend) {
    let bench = Bench::new(backend).await;
    for (n, hash) in [BCRYPT, ARGON2ID].into_iter().enumerate() {
        let email = format!("{n}@example.com");
        let attributes =
            UserAttributes { password: None, password_hash: Some(Secret::new(hash)), ..with(&email) };
        let id = create(&bench, attributes).await.unwrap().id;
        assert_eq!(refused(bench.sign_in(&email, "imported-password-2").await), "invalid_credentials");
        assert_eq!(hash_of(&bench, &id).await, hash);
        bench.sign_in(&email, IMPORTED).await.unwrap();
        assert!(hash_of(&bench, &id).await.starts_with("$argon2id$"));
        bench.sign_in(&email, IMPORTED).await.unwrap();
    }
}

async fn lists_the_newest_first_page_by_page(backend: Backend) {
    let bench = Bench::new(backend).await;
    for n in 0..5 {
        create(&bench, with(&format!("user{n}@example.com"))).await.unwrap();
    }
    let list = |page, per_page, filter: Option<&str>| {
        bench.auth.send(AdminListUsers { page, per_page, filter: filter.map(str::to_owned) })
    };
    let emails = |users: &[User]| users.iter().map(|user| user.email[..5].to_owned()).collect::<Vec<_>>();
    let (one, two) = (list(1, 2, None).await.unwrap(), list(2, 2, None).await.unwrap());
    assert_eq!((emails(&one.users), one.total), (vec!["user4".to_owned(), "user3".to_owned()], 5));
    assert_eq!(emails(&two.users), ["user2", "user1"]);
    assert!(one.users.iter().all(|user| user.identities.len() == 1 && user.identities[0].user_id == user.id));
    assert!(list(9, 2, None).await.unwrap().users.is_empty());
    assert_eq!(emails(&list(1, 50, Some("SER3@")).await.unwrap().users), ["user3"]);
    assert!(list(1, 50, Some("user_@")).await.unwrap().users.is_empty());
    assert!(list(1, 50, Some("' or 1=1 --")).await.unwrap().users.is_empty());
}

async fn updates_and_signs_out_with_a_new_password(backend: Backend) {
    let bench = Bench::new(backend).await;
    let session = bench.session("a@example.com").await;
    create(&bench, with("taken@example.com")).await.unwrap();
    let attributes = UserAttributes {
        email: Some("changed@example.com".to_owned()),
        password: Some("set by the operator".into()),
        app_metadata: json!({ "plan": "pro" }).as_object().cloned(),
        ..UserAttributes::default()
    };
    let user = update(&bench, &session.user.id, attributes).await.unwrap();
    assert_eq!((user.email.as_str(), &user.app_metadata["plan"]), ("changed@example.com", &json!("pro")));
    assert_eq!(refused(bench.refresh(&session.refresh_token).await), "refresh_token_not_found");
    bench.sign_in("changed@example.com", "set by the operator").await.unwrap();
    let weak = UserAttributes { password: Some("weak".into()), ..UserAttributes::default() };
    assert_eq!(refused(update(&bench, &user.id, weak).await), "weak_password");
    let taken = UserAttributes { email: Some("taken@example.com".to_owned()), ..UserAttributes::default() };
    assert_eq!(refused(update(&bench, &user.id, taken).await), "email_exists");
}

async fn a_ban_keeps_out_and_its_end_lets_in_again(backend: Backend) {
    let bench = Bench::new(backend).await;
    let session = bench.session("a@example.com").await;
    let ban =
        |time: &str| UserAttributes { ban_duration: Some(time.to_owned()), ..UserAttributes::default() };
    let user = update(&bench, &session.user.id, ban("24h")).await.unwrap();
    assert!(user.banned_until.is_some());
    assert_eq!(refused(bench.sign_in("a@example.com", PASSWORD).await), "user_banned");
    assert_eq!(refused(bench.sign_in("a@example.com", "a wrong one").await), "invalid_credentials");
    assert_eq!(refused(bench.refresh(&session.refresh_token).await), "user_banned");
    assert_eq!(refused(bench.of(&session).await.send(GetUser).await), "user_banned");
    update(&bench, &session.user.id, ban("none")).await.unwrap();
    bench.sign_in("a@example.com", PASSWORD).await.unwrap();
    bench.refresh(&session.refresh_token).await.unwrap();
}

async fn who_is_deleted_is_gone_with_all_sessions(backend: Backend) {
    for soft in [false, true] {
        let bench = Bench::new(backend).await;
        let session = bench.session("a@example.com").await;
        let delete = || AdminDeleteUser { id: session.user.id.clone(), soft };
        bench.auth.send(delete()).await.unwrap();
        assert_eq!(refused(bench.sign_in("a@example.com", PASSWORD).await), "invalid_credentials");
        assert_eq!(refused(bench.refresh(&session.refresh_token).await), "refresh_token_not_found");
        assert_eq!(refused(bench.of(&session).await.send(GetUser).await), "user_not_found");
        bench.session("a@example.com").await;
        let found = bench.auth.send(AdminGetUser { id: session.user.id.clone() }).await;
        if soft {
            let shell = found.unwrap();
            assert!(
                shell.deleted_at.is_some() && !shell.email.contains('@') && shell.user_metadata.is_empty()
            );
            bench.auth.send(delete()).await.unwrap();
        } else {
            assert_eq!(refused(found), "user_not_found");
            assert_eq!(refused(bench.auth.send(delete()).await), "user_not_found");
        }
    }
}

async fn nobody_else_may(backend: Backend) {
    let bench = Bench::new(backend).await;
    let session = bench.session("a@example.com").await;
    let id = session.user.id.clone();
    for auth in [bench.of(&session).await, bench.auth.with(Context::role("anon"))] {
        let list = AdminListUsers { page: 1, per_page: 50, filter: None };
        assert_eq!(refused(auth.send(list).await), "not_admin");
        assert_eq!(refused(auth.send(AdminGetUser { id: id.clone() }).await), "not_admin");
        assert_eq!(refused(auth.send(AdminDeleteUser { id: id.clone(), soft: false }).await), "not_admin");
        let create = AdminCreateUser { id: None, attributes: with("b@example.com") };
        assert_eq!(refused(auth.send(create).await), "not_admin");
        let update = AdminUpdateUser { id: id.clone(), attributes: with("b@example.com") };
        assert_eq!(refused(auth.send(update).await), "not_admin");
    }
    let service = bench.auth.with(Context::role("service_role"));
    assert_eq!(service.send(AdminGetUser { id }).await.unwrap().email, "a@example.com");
}
