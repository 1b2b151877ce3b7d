//! Ports for servers that begin to listen later.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

/// Below those that systems give to whoever asks for any port, and to connections that begin here.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;
/// Who listens here at a port has claimed the same one of 127.0.0.1, until its process ends. The tests in
/// other languages do the same.
const CLAIMS: &str = "127.0.0.77";

/// A port of 127.0.0.1 that nobody listens at. Until a server does, no connection and no other listener
/// gets it by chance; a connection to a port that anybody may get can even meet itself. No other test gets
/// it as long as this process runs, also while the server is down.
///
/// # Errors
/// When none is free.
pub fn free_port() -> io::Result<u16> {
    let begin = RandomState::new().hash_one(std::process::id());
    let mut tried = (0..u64::from(COUNT)).map(|step| begin.wrapping_add(step) % u64::from(COUNT));
    let port = tried.find_map(|at| {
        let port = FIRST + u16::try_from(at).ok()?;
        claim(port).then_some(port)
    });
    port.ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))
}

fn claim(port: u16) -> bool {
    static CLAIMED: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
    let claim = match TcpListener::bind((CLAIMS, port)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return false,
        // There are systems that have 127.0.0.1 only.
        claim => claim.ok(),
    };
    let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
    if is_free {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).extend(claim);
    }
    is_free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_free_and_another_one() {
        let ports: std::collections::BTreeSet<_> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50, "{ports:?}");
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)), "{ports:?}");
        assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()), "{ports:?}");
    }
}
