use super::*;

const RSA: &str = include_str!("testdata/rsa.pem");
const RSA_PUBLIC: &str = include_str!("testdata/rsa_public.pem");
const EC: &str = include_str!("testdata/ec.pem");
const EC_PUBLIC: &str = include_str!("testdata/ec_public.pem");

fn development() -> Keys {
    Keys::load(&AuthSettings::default(), true).unwrap()
}

fn key(kid: &str, algorithm: &str) -> KeySettings {
    KeySettings {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        secret: None,
        private_key: None,
        public_key: None,
    }
}

fn signing(kid: &str, algorithm: &str, pem: &str) -> KeySettings {
    KeySettings { private_key: Some(Secret::new(pem)), ..key(kid, algorithm) }
}

fn load(keys: Vec<KeySettings>) -> Keys {
    Keys::load(&AuthSettings { keys, ..AuthSettings::default() }, true).unwrap()
}

fn header(token: &str) -> Json {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn joined(header: &Json, claims: &Json, signature: &str) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn development_keys_are_the_ones_everybody_has() {
    let keys = development();
    for role in ["anon", "service_role"] {
        let claims = keys.verify(&keys.api_key(role).unwrap()).unwrap();
        assert_eq!(
            Json::Object(claims),
            json!({ "iss": "supabase-demo", "role": role, "exp": 1_983_812_996 })
        );
    }
}

#[test]
fn outside_development_nothing_is_signed_by_a_default() {
    let settings = |secret: &str| AuthSettings { jwt_secret: secret.into(), ..AuthSettings::default() };
    for secret in ["", DEVELOPMENT_SECRET, "too short"] {
        assert_eq!(Keys::load(&settings(secret), false).err().unwrap().code(), "BACKEND_002", "{secret}");
    }
    let keys = Keys::load(&settings("a secret of my own, long enough to keep"), false).unwrap();
    let key = keys.api_key("anon").unwrap();
    assert_eq!(keys.verify(&key).unwrap()["role"], "anon");
    assert_eq!(key, keys.api_key("anon").unwrap());
    development().verify(&key).unwrap_err();
}

#[test]
fn each_algorithm_signs_and_is_published_without_its_secret() {
    for (algorithm, pem) in [("RS256", RSA), ("ES256", EC)] {
        let keys = load(vec![signing("now", algorithm, pem)]);
        let token = keys.sign(&json!({ "sub": "me" })).unwrap();
        assert_eq!(header(&token)["kid"], "now");
        assert_eq!(header(&token)["alg"], algorithm);
        assert_eq!(keys.verify(&token).unwrap()["sub"], "me");
        let public = keys.public();
        assert_eq!(public["keys"].as_array().unwrap().len(), 1);
        assert_eq!(public["keys"][0]["kid"], "now");
        assert_eq!(public["keys"][0]["alg"], algorithm);
        assert!(public["keys"][0].get("d").is_none() && public["keys"][0].get("k").is_none());
    }
    assert_eq!(development().public(), json!({ "keys": [] }));
}

#[test]
fn keys_are_rotated_without_signing_anybody_out() {
    let old = load(vec![signing("old", "ES256", EC)]).sign(&json!({ "sub": "me" })).unwrap();
    let public = KeySettings { public_key: Some(EC_PUBLIC.to_owned()), ..key("old", "ES256") };
    let rotated = load(vec![signing("new", "RS256", RSA), public]);
    assert_eq!(rotated.verify(&old).unwrap()["sub"], "me");
    assert_eq!(header(&rotated.sign(&json!({})).unwrap())["kid"], "new");
    assert_eq!(load(vec![signing("new", "RS256", RSA)]).verify(&old).unwrap_err().code(), "PGRST301");
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_tokens() {
    let public = KeySettings { public_key: Some(RSA_PUBLIC.to_owned()), ..key("rsa", "RS256") };
    let keys = load(vec![public]);
    let claims = json!({ "role": "service_role" });
    let with_public_key = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused =
        encode(&with_public_key, &claims, &EncodingKey::from_secret(RSA_PUBLIC.as_bytes())).unwrap();
    let anon = keys.api_key("anon").unwrap();
    let signature = anon.rsplit('.').next().unwrap();
    for token in [
        confused,
        joined(&json!({ "alg": "none" }), &claims, ""),
        joined(&json!({ "alg": "None", "typ": "JWT" }), &claims, ""),
        joined(&json!({ "alg": "HS256" }), &claims, ""),
        joined(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, signature),
        joined(&json!({ "alg": "RS256" }), &claims, signature),
        joined(&json!({ "alg": "HS512" }), &claims, signature),
        joined(&json!({ "alg": ["HS256"] }), &claims, signature),
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(b"")).unwrap(),
        anon[..anon.len() - 5].to_owned(),
    ] {
        assert_eq!(keys.verify(&token).unwrap_err().code(), "PGRST301", "{token}");
    }
}

#[test]
fn what_is_no_token_is_told_so() {
    let keys = development();
    let message = |token: &str| keys.verify(token).unwrap_err().message().to_owned();
    assert_eq!(message(""), "Empty JWT is sent in Authorization header");
    assert_eq!(message("a.b"), "Expected 3 parts in JWT; got 2");
    assert_eq!(message("a.b.c"), "Wrong or unsupported encoding algorithm");
    let not_an_object = encode(
        &Header::new(Algorithm::HS256),
        &json!("text"),
        &EncodingKey::from_secret(DEVELOPMENT_SECRET.as_bytes()),
    );
    keys.verify(&not_an_object.unwrap()).unwrap_err();
}

#[test]
fn keys_that_cannot_be_read_are_named() {
    for wrong in [
        key("k", "RS256"),
        key("k", "HS256"),
        signing("k", "RS256", "no pem"),
        signing("k", "ES256", RSA),
        signing("k", "PS512", RSA),
        KeySettings { secret: Some("short".into()), ..key("k", "HS256") },
    ] {
        let settings = AuthSettings { keys: vec![wrong], ..AuthSettings::default() };
        let error = Keys::load(&settings, true).err().unwrap();
        assert!(error.code() == "BACKEND_002" && error.message().contains("`k`"), "{error}");
    }
}

#[test]
fn signed_urls_have_a_secret_of_their_own_where_tokens_have_none() {
    assert_eq!(development().url_secret().expose(), DEVELOPMENT_SECRET);
    let settings = AuthSettings { keys: vec![signing("k", "ES256", EC)], ..AuthSettings::default() };
    let keys = Keys::load(&settings, false).unwrap();
    assert!(keys.secret().is_none() && keys.url_secret().expose().len() >= 32);
    assert_eq!(keys.url_secret(), Keys::load(&settings, false).unwrap().url_secret());
}
