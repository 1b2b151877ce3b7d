use bytes::Bytes;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, Secret};
use truststream_services::auth::{
    Challenge, ChallengeFactor, Client, EnrollFactor, EnrolledFactor, Session, UnenrollFactor, VerifyFactor,
};
use truststream_services::database::{Filter, Query, TableName, Update};

use super::{Backend, Bench, PASSWORD, refused};

crate::cases! {
    a_challenge_ends,
    a_challenge_is_answered_where_it_was_asked_for,
    what_was_set_up_and_never_used_is_forgotten,
    a_secret_that_is_encrypted_elsewhere_is_told,
    so_many_factors_and_no_more,
    what_is_switched_off_is_refused,
    a_session_of_a_factor_that_is_being_ended_is_not_raised,
}

const EMAIL: &str = "a@example.com";

/// A user with a factor that no code was shown of yet.
struct Setup {
    bench: Bench,
    session: Session,
    factor: EnrolledFactor,
}

impl Setup {
    async fn new(backend: Backend) -> Self {
        let bench = Bench::new(backend).await;
        let session = bench.session(EMAIL).await;
        let factor = enroll(&bench, &session, "phone").await.unwrap();
        Setup { bench, session, factor }
    }

    /// The present code of the app, or the one so many half minutes later.
    fn code(&self, later: u64) -> String {
        let secret = &self.factor.totp.as_ref().unwrap().secret;
        let totp = totp_rs::Builder::new().with_secret(totp_rs::Secret::try_from_base32(secret).unwrap());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        totp.build().unwrap().generate(now + 30 * later).to_string()
    }

    async fn challenge(&self, session: &Session, client: Client) -> Challenge {
        let ask = ChallengeFactor { factor: self.factor.id.clone(), client };
        self.bench.of(session).await.send(ask).await.unwrap()
    }

    async fn verify(
        &self,
        session: &Session,
        challenge: &Challenge,
        code: &str,
        client: Client,
    ) -> Result<Session, Error> {
        let (factor, challenge) = (self.factor.id.clone(), challenge.id.clone());
        let answer = VerifyFactor { factor, challenge, code: Secret::new(code), client };
        self.bench.of(session).await.send(answer).await
    }

    /// Changes a row behind the engine's back.
    async fn change(&self, table: &str, id: &str, values: Json) {
        let query = Query { filter: Some(Filter::eq("id", id)), ..Query::all() };
        let update = Update::new(TableName::new("auth", table), Bytes::from(values.to_string()), query);
        self.bench.database.database.send(update).await.unwrap();
    }
}

async fn enroll(bench: &Bench, session: &Session, name: &str) -> Result<EnrolledFactor, Error> {
    let (factor_type, friendly_name) = ("totp".to_owned(), name.to_owned());
    let enroll = EnrollFactor { factor_type, friendly_name, ..EnrollFactor::default() };
    bench.of(session).await.send(enroll).await
}

async fn a_challenge_ends(backend: Backend) {
    let setup = Setup::new(backend).await;
    let challenge = setup.challenge(&setup.session, Client::default()).await;
    setup.change("mfa_challenges", &challenge.id, json!({ "created_at": "2020-01-01T00:00:00Z" })).await;
    let answer = || setup.verify(&setup.session, &challenge, "", Client::default());
    assert_eq!(refused(answer().await), "validation_failed");
    let late = || async {
        let code = setup.code(0);
        setup.verify(&setup.session, &challenge, &code, Client::default()).await
    };
    assert_eq!(refused(late().await), "mfa_challenge_expired");
    assert_eq!(refused(late().await), "mfa_factor_not_found");
}

async fn a_challenge_is_answered_where_it_was_asked_for(backend: Backend) {
    let setup = Setup::new(backend).await;
    let at = |address: &str| Client { address: Some(address.to_owned()), user_agent: None };
    let challenge = setup.challenge(&setup.session, at("192.0.2.1")).await;
    let answer = |client| async {
        let code = setup.code(0);
        setup.verify(&setup.session, &challenge, &code, client).await
    };
    assert_eq!(refused(answer(at("192.0.2.2")).await), "mfa_ip_address_mismatch");
    answer(at("192.0.2.1")).await.unwrap();
}

async fn what_was_set_up_and_never_used_is_forgotten(backend: Backend) {
    let setup = Setup::new(backend).await;
    assert_eq!(refused(enroll(&setup.bench, &setup.session, "phone").await), "mfa_factor_name_conflict");
    setup.change("mfa_factors", &setup.factor.id, json!({ "created_at": "2020-01-01T00:00:00Z" })).await;
    let again = enroll(&setup.bench, &setup.session, "phone").await.unwrap();
    let ask = ChallengeFactor { factor: setup.factor.id.clone(), client: Client::default() };
    let auth = setup.bench.of(&setup.session).await;
    assert_eq!(refused(auth.send(ask).await), "mfa_factor_not_found");
    auth.send(ChallengeFactor { factor: again.id, client: Client::default() }).await.unwrap();
}

async fn a_secret_that_is_encrypted_elsewhere_is_told(backend: Backend) {
    let setup = Setup::new(backend).await;
    setup.change("mfa_factors", &setup.factor.id, json!({ "secret": "{\"key_id\":\"k\"}" })).await;
    let challenge = setup.challenge(&setup.session, Client::default()).await;
    let answer = setup.verify(&setup.session, &challenge, "123456", Client::default()).await;
    assert_eq!(refused(answer), "mfa_secret_unreadable");
}

async fn so_many_factors_and_no_more(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.mfa.max_enrolled_factors = 2).await;
    let session = bench.session(EMAIL).await;
    for name in ["one", "two"] {
        enroll(&bench, &session, name).await.unwrap();
    }
    assert_eq!(refused(enroll(&bench, &session, "three").await), "too_many_enrolled_mfa_factors");
}

async fn what_is_switched_off_is_refused(backend: Backend) {
    let bench = Bench::with(backend, |settings| settings.mfa.totp.enroll_enabled = false).await;
    let session = bench.session(EMAIL).await;
    assert_eq!(refused(enroll(&bench, &session, "phone").await), "mfa_totp_enroll_not_enabled");
    let bench = Bench::with(backend, |settings| settings.mfa.totp.verify_enabled = false).await;
    let session = bench.session(EMAIL).await;
    let factor = enroll(&bench, &session, "phone").await.unwrap().id;
    let ask = ChallengeFactor { factor, client: Client::default() };
    assert_eq!(refused(bench.of(&session).await.send(ask).await), "mfa_totp_verify_not_enabled");
}

/// Whoever of the two is first: afterwards no session is higher than the factors that there are.
async fn a_session_of_a_factor_that_is_being_ended_is_not_raised(backend: Backend) {
    let setup = Setup::new(backend).await;
    let challenge = setup.challenge(&setup.session, Client::default()).await;
    let first = setup.verify(&setup.session, &challenge, &setup.code(0), Client::default()).await.unwrap();
    let other = setup.bench.sign_in(EMAIL, PASSWORD).await.unwrap();
    let challenge = setup.challenge(&other, Client::default()).await;
    let owner = setup.bench.of(&first).await;
    let code = setup.code(1);
    let (ended, answered) = tokio::join!(
        owner.send(UnenrollFactor { factor: setup.factor.id.clone() }),
        setup.verify(&other, &challenge, &code, Client::default())
    );
    ended.unwrap();
    if let Err(error) = answered {
        assert_eq!(error.code(), "mfa_factor_not_found");
    }
    for token in [&first.refresh_token, &other.refresh_token] {
        let session = setup.bench.refresh(token).await.unwrap();
        let auth = setup.bench.of(&session).await;
        assert_eq!(auth.context().identity().unwrap().claims["aal"], "aal1");
    }
}
