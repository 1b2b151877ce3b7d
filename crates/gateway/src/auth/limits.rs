//! How often one client may try.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use truststream_kernel::{Error, ErrorKind, Result};

use crate::Settings;

/// Clients are forgotten when so many are known and they have not tried of late.
const KNOWN: usize = 10_000;
const FIVE_MINUTES: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);

/// The limits of each kind of request, by client address; of codes also by user, who may be tried from many.
pub(super) struct Limits {
    pub(super) sign_up: Limit,
    pub(super) sign_in: Limit,
    pub(super) refresh: Limit,
    pub(super) anonymous: Limit,
    pub(super) user: Limit,
    pub(super) code: Limit,
    pub(super) code_of_user: Limit<String>,
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        let limits = &settings.auth.rate_limit;
        Limits {
            sign_up: Limit::new(limits.sign_in_sign_ups, FIVE_MINUTES),
            sign_in: Limit::new(limits.sign_in_sign_ups, FIVE_MINUTES),
            refresh: Limit::new(limits.token_refresh, FIVE_MINUTES),
            anonymous: Limit::new(limits.anonymous_users, HOUR),
            user: Limit::new(limits.sign_in_sign_ups, FIVE_MINUTES),
            code: Limit::new(limits.token_verifications, FIVE_MINUTES),
            code_of_user: Limit::new(limits.token_verifications, FIVE_MINUTES),
        }
    }
}

/// So many requests in some time, and no more than that at once.
pub(super) struct Limit<K: Clone + Eq + Hash = IpAddr> {
    clients: Option<DefaultKeyedRateLimiter<K>>,
}

impl<K: Clone + Eq + Hash> Limit<K> {
    fn new(requests: u32, time: Duration) -> Self {
        let clients = NonZeroU32::new(requests).and_then(|requests| {
            let quota = Quota::with_period(time / requests.get())?.allow_burst(requests);
            Some(RateLimiter::keyed(quota))
        });
        Limit { clients }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `over_request_rate_limit` when it was one too many.
    pub(super) fn count_of(&self, client: &K) -> Result<()> {
        // A limit of none lets nobody through.
        let Some(clients) = &self.clients else { return Err(over_limit()) };
        if clients.len() > KNOWN {
            clients.retain_recent();
        }
        clients.check_key(client).map_err(|_| over_limit())
    }
}

impl Limit {
    /// Counts a request from an address.
    ///
    /// # Errors
    /// `over_request_rate_limit` when it was one too many.
    pub(super) fn count(&self, client: IpAddr) -> Result<()> {
        self.count_of(&household(client))
    }
}

/// Whoever has an IPv6 address has 2^64 of them, so those count as one.
fn household(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn over_limit() -> Error {
    Error::new(ErrorKind::RateLimited, "over_request_rate_limit", "Request rate limit reached")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limit: &Limit, clients: &[&str]) -> usize {
        clients.iter().filter(|client| limit.count(client.parse().unwrap()).is_ok()).count()
    }

    #[test]
    fn each_client_has_its_own_count() {
        let limit = Limit::new(3, HOUR);
        assert_eq!(allowed(&limit, &["192.0.2.1"; 5]), 3);
        assert_eq!(allowed(&limit, &["192.0.2.2"; 5]), 3);
        assert_eq!(allowed(&Limit::new(0, HOUR), &["192.0.2.1"]), 0);
    }

    #[test]
    fn a_household_of_addresses_counts_as_one() {
        let limit = Limit::new(3, HOUR);
        assert_eq!(allowed(&limit, &["2001:db8::1", "2001:db8::2", "2001:db8:0:0:9::3", "2001:db8::4"]), 3);
        assert_eq!(allowed(&limit, &["2001:db8:0:1::1"]), 1);
        let limit = Limit::new(1, HOUR);
        assert_eq!(allowed(&limit, &["192.0.2.1", "::ffff:192.0.2.1"]), 1);
    }
}
