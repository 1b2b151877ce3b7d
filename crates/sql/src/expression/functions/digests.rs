//! Digests: `md5`, `sha256` and its like, and pgcrypto's `digest`.

use md5::Md5;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::text;

/// `digest(data, algorithm)` of pgcrypto, and whatever has the name of an algorithm.
pub(super) fn digest(arguments: &[Value]) -> Result<Value> {
    let bytes = match arguments.first() {
        Some(Value::Text(text)) => text.as_bytes(),
        Some(Value::Bytes(bytes)) => bytes,
        _ => return Err(Error::internal("a function was called with something else than bytes")),
    };
    Ok(Value::Bytes(match text(arguments, 1)?.to_ascii_lowercase().as_str() {
        "md5" => Md5::digest(bytes).to_vec(),
        "sha224" => Sha224::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        "sha512" => Sha512::digest(bytes).to_vec(),
        other => {
            let message = format!("Cannot use \"{other}\": No such hash algorithm");
            return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
        }
    }))
}
