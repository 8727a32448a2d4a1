//! Who a client is, and how much it may ask for.

use crate::settings::Settings;
use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

/// For each upload that an address may make, it may ask so many questions or hear so many windows.
const TASKS_PER_UPLOAD: u32 = 6;

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// A song is uploaded.
    Upload,
    /// A question is answered, or a window is prepared to be heard.
    Task,
}

/// Tells clients apart and counts what they ask for.
#[derive(Debug)]
pub struct Addresses {
    behind_proxy: bool,
    uploads: Option<DefaultKeyedRateLimiter<IpAddr>>,
    tasks: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

impl Addresses {
    /// By the rules of the settings.
    pub fn new(settings: &Settings) -> Self {
        let limiter = |per_minute: u32| {
            NonZeroU32::new(per_minute).map(|count| RateLimiter::keyed(Quota::per_minute(count)))
        };
        Addresses {
            behind_proxy: settings.behind_proxy,
            uploads: limiter(settings.uploads_per_minute),
            tasks: limiter(settings.uploads_per_minute.saturating_mul(TASKS_PER_UPLOAD)),
        }
    }

    /// The address that a request counts for. Of IPv6 it is the network: a client has a whole one.
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let forwarded = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?;
            last.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let address = if self.behind_proxy { forwarded().unwrap_or(peer) } else { peer };
        match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
            v4 => v4,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The seconds to wait, when the address has asked for too much.
    pub fn count(&self, address: IpAddr, cost: Cost) -> Result<(), u64> {
        let limiter = match cost {
            Cost::Upload => &self.uploads,
            Cost::Task => &self.tasks,
        };
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check_key(&address).map_err(|until| {
            until.wait_time_from(DefaultClock::default().now()).as_secs_f64().ceil().max(1.0) as u64
        })
    }

    /// Forgets addresses that have asked for nothing lately.
    pub fn tidy(&self) {
        for limiter in [&self.uploads, &self.tasks].into_iter().flatten() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(behind_proxy: bool, uploads_per_minute: u32) -> Addresses {
        Addresses::new(&Settings { behind_proxy, uploads_per_minute, ..Settings::default() })
    }

    #[test]
    fn only_behind_a_proxy_is_a_header_believed_and_then_the_proxys_own_entry() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 1.2.3.4".parse().unwrap());
        let peer = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(addresses(false, 0).of(peer, &headers), peer);
        assert_eq!(addresses(true, 0).of(peer, &headers), IpAddr::from([1, 2, 3, 4]));
        headers.append("x-forwarded-for", "5.6.7.8".parse().unwrap());
        assert_eq!(addresses(true, 0).of(peer, &headers), IpAddr::from([5, 6, 7, 8]));
        headers.append("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(addresses(true, 0).of(peer, &headers), peer);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| addresses(false, 0).of(text.parse().unwrap(), &HeaderMap::new());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:1.2.3.4"), IpAddr::from([1, 2, 3, 4]));
    }

    #[test]
    fn an_address_that_asks_for_too_much_is_told_how_long_to_wait() {
        let addresses = addresses(false, 2);
        let (one, two) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([2, 2, 2, 2]));
        assert_eq!(addresses.count(one, Cost::Upload), Ok(()));
        assert_eq!(addresses.count(one, Cost::Upload), Ok(()));
        let wait_s = addresses.count(one, Cost::Upload).unwrap_err();
        assert!((1..=30).contains(&wait_s), "{wait_s}");
        assert_eq!(addresses.count(two, Cost::Upload), Ok(()));
        assert_eq!(addresses.count(one, Cost::Task), Ok(()));
    }
}
