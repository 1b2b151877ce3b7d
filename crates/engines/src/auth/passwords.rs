//! Passwords: hashing new ones, verifying those hashed here or elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use truststream_kernel::{Error, Result, Secret};
use truststream_services::auth::WeakPassword;

use super::error::{busy, validation_failed, weak_password};
use super::firebase::FirebaseHash;
use super::settings::AuthSettings;

/// bcrypt reads no further, and Supabase Auth takes no longer password.
const LONGEST: usize = 72;
/// No hash from elsewhere may ask for more work than this.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_ITERATIONS: u32 = 16;
const MOST_LANES: u32 = 16;
const MOST_BCRYPT: u32 = 14;
/// Whoever waits longer for a thread to hash on is told to come back later.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So many wait at most.
const LONGEST_QUEUE: usize = 512;

/// Hashes and verifies passwords, on as many threads at a time as leave some for others.
pub(super) struct Passwords {
    params: Params,
    shortest: usize,
    threads: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// What a password is compared with where there is no hash.
    nobodys: String,
    verified: Arc<AtomicU64>,
}

impl Passwords {
    pub(super) fn new(settings: &AuthSettings) -> Result<Self> {
        let cost = &settings.password;
        let params = Params::new(cost.memory, cost.iterations, 1, None).map_err(|error| {
            Error::configuration(format!("auth.password: argon2id can't be run like this: {error}"))
        })?;
        // Comparing costs the same whatever the digest says, and no password has this one.
        let nobodys = format!(
            "$argon2id$v=19$m={},t={},p=1${}${}",
            cost.memory,
            cost.iterations,
            "A".repeat(22),
            "A".repeat(43)
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Passwords {
            params,
            shortest: settings.minimum_password_length,
            threads: Arc::new(Semaphore::new((cores / 2).max(1))),
            queue: Arc::new(Semaphore::new(LONGEST_QUEUE)),
            nobodys,
            verified: Arc::default(),
        })
    }

    /// Refuses a new password that is too short or too long.
    pub(super) fn check(&self, password: &str) -> Result<()> {
        if let Some(weak) = self.weakness(password) {
            return Err(weak_password(weak));
        }
        self.check_length(password)
    }

    /// Refuses a new password that is too long.
    pub(super) fn check_length(&self, password: &str) -> Result<()> {
        if password.len() > LONGEST {
            return Err(validation_failed("Password cannot be longer than 72 characters"));
        }
        Ok(())
    }

    /// Why a password is weak, if it is.
    pub(super) fn weakness(&self, password: &str) -> Option<WeakPassword> {
        (password.chars().count() < self.shortest).then(|| WeakPassword {
            message: format!("Password should be at least {} characters.", self.shortest),
            reasons: vec!["length".to_owned()],
        })
    }

    /// A new hash: argon2id with a random salt.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String> {
        let argon2 = self.argon2();
        let password = password.clone();
        self.apart(move || hash(&argon2, password.expose().as_bytes())).await?
    }

    /// Whether a password is the one that was hashed. Without a hash the answer is no, after the same
    /// work as for one made here.
    pub(super) async fn verify(&self, password: &Secret, hashed: Option<&str>) -> Result<bool> {
        let hashed = hashed.filter(|hashed| is_supported(hashed));
        let known = hashed.is_some();
        let hashed = hashed.unwrap_or(&self.nobodys).to_owned();
        let (password, verified) = (password.clone(), Arc::clone(&self.verified));
        let matches = self.apart(move || {
            verified.fetch_add(1, Ordering::Relaxed);
            verify(password.expose(), &hashed)
        });
        Ok(matches.await? && known)
    }

    /// Whether a hash that was just verified should give way to one made here.
    pub(super) fn is_outdated(&self, hashed: &str) -> bool {
        PasswordHash::new(hashed).ok().and_then(|hash| {
            let params = Params::try_from(&hash).ok()?;
            let same = hash.algorithm.as_str() == "argon2id"
                && params.m_cost() >= self.params.m_cost()
                && params.t_cost() >= self.params.t_cost();
            Some(!same)
        }) != Some(false)
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let waiting = Arc::clone(&self.threads).acquire_owned();
        let thread = tokio::time::timeout(LONGEST_WAIT, waiting).await.map_err(|_| busy())?;
        let thread =
            thread.map_err(|error| Error::internal("no password can be hashed").with_source(error))?;
        // The permit goes with the work: a caller who gives up does not make room before it is done.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(thread);
            done
        });
        done.await.map_err(|error| Error::internal("hashing a password broke off").with_source(error))
    }
}

/// Refuses a hash from elsewhere that can't be verified here, or only with too much work.
pub(super) fn check_hash(hashed: &str) -> Result<()> {
    if is_supported(hashed) {
        Ok(())
    } else {
        Err(validation_failed(
            "Password hash must be bcrypt, argon2i, argon2id or Firebase scrypt with common parameters",
        ))
    }
}

fn is_supported(hashed: &str) -> bool {
    if hashed.starts_with("$argon2") {
        let Ok(hash) = PasswordHash::new(hashed) else { return false };
        let known = matches!(hash.algorithm.as_str(), "argon2i" | "argon2id");
        let Ok(params) = Params::try_from(&hash) else { return false };
        return known
            && hash.hash.is_some()
            && hash.salt.is_some()
            && params.m_cost() <= MOST_MEMORY
            && params.t_cost() <= MOST_ITERATIONS
            && params.p_cost() <= MOST_LANES;
    }
    if FirebaseHash::claims(hashed) {
        return FirebaseHash::read(hashed).is_some();
    }
    if !["$2a$", "$2b$", "$2y$"].iter().any(|version| hashed.starts_with(version)) {
        return false;
    }
    hashed.parse::<bcrypt::HashParts>().is_ok_and(|parts| parts.get_cost() <= MOST_BCRYPT)
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String> {
    argon2
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal("the password could not be hashed").with_source(error))
}

fn verify(password: &str, hashed: &str) -> bool {
    if hashed.starts_with("$argon2") {
        return PasswordHash::new(hashed)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    }
    if FirebaseHash::claims(hashed) {
        return FirebaseHash::read(hashed).is_some_and(|hash| hash.is_of(password));
    }
    // The letters that bcrypt would not read must not be free to choose.
    let whole = password.len() <= LONGEST;
    bcrypt::verify(&password.as_bytes()[..password.len().min(LONGEST)], hashed).unwrap_or(false) && whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2a$10$2gcZ82sZ4vUn/7UQdAmyau2GRWSdBy1YrMgZ/rOc8CZiEa8CgoaJy";

    fn passwords() -> Passwords {
        let mut settings = AuthSettings::default();
        settings.password.memory = 64;
        settings.password.iterations = 1;
        Passwords::new(&settings).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_and_never_the_same_twice() {
        let passwords = passwords();
        let secret = Secret::new("long enough");
        let (one, two) = (passwords.hash(&secret).await.unwrap(), passwords.hash(&secret).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(passwords.verify(&secret, Some(&one)).await.unwrap());
        assert!(!passwords.verify(&Secret::new("long enougH"), Some(&one)).await.unwrap());
        assert!(!passwords.verify(&secret, None).await.unwrap());
        assert!(!passwords.is_outdated(&one) && passwords.is_outdated(BCRYPT));
    }

    #[tokio::test]
    async fn the_unknown_cost_as_much_as_the_known() {
        let passwords = passwords();
        let secret = Secret::new("long enough");
        let hash = passwords.hash(&secret).await.unwrap();
        assert!(PasswordHash::new(&passwords.nobodys).unwrap().hash.is_some());
        let same_cost = |hash: &str| Params::try_from(&PasswordHash::new(hash).unwrap()).unwrap().m_cost();
        assert_eq!(same_cost(&passwords.nobodys), same_cost(&hash));
        let wrong = Secret::new("wrong enough");
        for (tried, hashed) in
            [(&secret, Some(&*hash)), (&wrong, Some(&*hash)), (&wrong, None), (&wrong, Some("no hash"))]
        {
            let before = passwords.verified.load(Ordering::Relaxed);
            passwords.verify(tried, hashed).await.unwrap();
            assert_eq!(passwords.verified.load(Ordering::Relaxed), before + 1, "{hashed:?}");
        }
    }

    #[tokio::test]
    async fn bcrypt_of_every_version_is_believed_up_to_72_bytes() {
        let passwords = passwords();
        let secret = Secret::new("imported-password-1");
        for version in ["$2a$", "$2b$", "$2y$"] {
            let hash = BCRYPT.replacen("$2a$", version, 1);
            assert!(passwords.verify(&secret, Some(&hash)).await.unwrap(), "{version}");
        }
        let long = "x".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        assert!(passwords.verify(&Secret::new(long.clone()), Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&Secret::new(format!("{long}y")), Some(&hash)).await.unwrap());
    }

    #[test]
    fn hashes_that_cost_too_much_or_say_too_little_are_refused() {
        let argon2 = |kind: &str, params: &str| {
            format!(
                "${kind}$v=19${params}$O+MHrjFIG3CT/4V48VEU6Q$3C66ZzyWlajNoZIdbdZE5EAhWSPeOvb3UL7qfivK940"
            )
        };
        check_hash(&argon2("argon2id", "m=19456,t=2,p=1")).unwrap();
        check_hash(&argon2("argon2i", "m=4096,t=3,p=1")).unwrap();
        check_hash(BCRYPT).unwrap();
        for refused in [
            argon2("argon2d", "m=4096,t=3,p=1"),
            argon2("argon2id", "m=4194304,t=3,p=1"),
            argon2("argon2id", "m=4096,t=4000000,p=1"),
            argon2("argon2id", "m=65536,t=3,p=255"),
            "$argon2id$v=19$m=19456,t=2,p=1".to_owned(),
            BCRYPT.replacen("$10$", "$31$", 1),
            BCRYPT[..40].to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            String::new(),
        ] {
            assert_eq!(check_hash(&refused).unwrap_err().code(), "validation_failed", "{refused}");
        }
    }

    #[test]
    fn new_passwords_have_their_limits() {
        let passwords = passwords();
        passwords.check("sixsix").unwrap();
        let error = passwords.check("five5").unwrap_err();
        assert_eq!(error.code(), "weak_password");
        assert_eq!(error.message(), "Password should be at least 6 characters.");
        assert_eq!(error.details().unwrap()["reasons"][0], "length");
        assert_eq!(passwords.check(&"x".repeat(73)).unwrap_err().code(), "validation_failed");
    }
}
