//! Passwords hashed by Firebase: its scrypt (<https://github.com/firebase/scrypt>), in the text form
//! that Supabase Auth takes: `$fbscrypt$v=1,n=14,r=8,p=1,ss=<separator>,sk=<signer key>$<salt>$<hash>`.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use scrypt::Params;
use subtle::ConstantTimeEq;

const PREFIX: &str = "$fbscrypt$";

/// No hash may ask for more work: 128 MiB, as much as Firebase's own parameters let one ask for.
const MOST_MEMORY_LOG2: u8 = 16;
const MOST_ROUNDS: u32 = 16;
const MOST_LANES: u32 = 4;

/// A password's hash with the parameters of the project it comes from.
pub(super) struct FirebaseHash {
    params: Params,
    signer_key: Vec<u8>,
    /// The salt with its separator.
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl FirebaseHash {
    /// Whether a hash says that it is Firebase's.
    pub(super) fn claims(hashed: &str) -> bool {
        hashed.starts_with(PREFIX)
    }

    /// Reads a hash; `None` if it is malformed or asks for too much work.
    pub(super) fn read(hashed: &str) -> Option<Self> {
        let (parameters, rest) = hashed.strip_prefix(PREFIX)?.split_once('$')?;
        let (salt, hash) = rest.split_once('$')?;
        let value = |name: &str| parameters.split(',').find_map(|pair| pair.strip_prefix(name));
        let bytes = |text: Option<&str>| STANDARD.decode(text.unwrap_or_default()).ok();
        if value("v=")? != "1" {
            return None;
        }
        let memory: u8 = value("n=")?.parse().ok()?;
        let (rounds, lanes): (u32, u32) = (value("r=")?.parse().ok()?, value("p=")?.parse().ok()?);
        if memory > MOST_MEMORY_LOG2 || rounds > MOST_ROUNDS || lanes > MOST_LANES {
            return None;
        }
        let mut salt = bytes(Some(salt))?;
        salt.extend(bytes(value("ss="))?);
        let (signer_key, hash) = (bytes(value("sk="))?, bytes(Some(hash))?);
        if signer_key.is_empty() || salt.is_empty() || hash.len() != signer_key.len() {
            return None;
        }
        Some(FirebaseHash { params: Params::new(memory, rounds, lanes).ok()?, signer_key, salt, hash })
    }

    /// Whether it is this password's: the signer key, encrypted with what scrypt derives.
    pub(super) fn is_of(&self, password: &str) -> bool {
        let mut derived = [0; 32];
        if scrypt::scrypt(password.as_bytes(), &self.salt, &self.params, &mut derived).is_err() {
            return false;
        }
        let mut encrypted = self.signer_key.clone();
        Ctr128BE::<Aes256>::new(&derived.into(), &[0; 16].into()).apply_keystream(&mut encrypted);
        encrypted.ct_eq(&self.hash).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Firebase's own description.
    const PARAMETERS: &str = "v=1,n=14,r=8,p=1,ss=Bw==,\
        sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
    const SALT: &str = "42xEC+ixf3L2lw==";
    const HASH: &str =
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

    fn hashed(parameters: &str) -> String {
        format!("{PREFIX}{parameters}${SALT}${HASH}")
    }

    #[test]
    fn the_password_of_firebase_s_example_matches() {
        let hash = FirebaseHash::read(&hashed(PARAMETERS)).unwrap();
        assert!(hash.is_of("user1password"));
        assert!(!hash.is_of("user1Password") && !hash.is_of(""));
    }

    #[test]
    fn what_is_malformed_or_costs_too_much_is_refused() {
        for (from, to) in
            [("v=1", "v=2"), ("n=14", "n=30"), ("r=8", "r=800"), ("p=1", "p=99"), ("sk=", "xx=")]
        {
            assert!(FirebaseHash::read(&hashed(&PARAMETERS.replacen(from, to, 1))).is_none(), "{to}");
        }
        assert!(FirebaseHash::read(&hashed(PARAMETERS)[..60]).is_none());
        assert!(FirebaseHash::read(&hashed(PARAMETERS).replace("lSrf", "")).is_none());
    }
}
