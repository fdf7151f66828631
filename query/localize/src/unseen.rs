//! Calls that nobody sees: a service without instrumentation may call whoever broke, and fails or is late with it.
//!
//! What sends no spans is known by the name under which it is called. A name within the organization is that of a service of
//! one's own, which may call any other; one of the public Internet is somebody else's, who does not, and stores call nobody.

use crate::calls::{BadCalls, Places};
use core::net::IpAddr;
use epicenter_graph::{Entity, EntityKind};
use std::collections::BTreeSet;

/// What sends no spans may wait for somebody of whose bad calls at least this share comes from callers that do not wait for it: those
/// who do may cut short what else they call.
const APART_MIN: f64 = 0.5;
/// How many such bad calls there must be, as a share of the bad calls to what sends no spans: two things that broke at once
/// are one when either is plain.
const PLAIN_MIN: f64 = 0.05;

/// Last labels of names that no public domain has. Sources: RFC 6761, RFC 6762, ICANN resolution 2024.07.29.06 on `internal`, the DNS
/// specification of Kubernetes, and the names in common use that RFC 6762, appendix G, lists.
const WITHIN: [&str; 10] = [
    "corp",
    "home",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "svc",
];

/// Names of homes (RFC 8375).
const HOME: &str = ".home.arpa";
/// The addresses that carriers, and networks of containers, share (RFC 6598): 100.64.0.0/10.
const SHARED: (u8, std::ops::RangeInclusive<u8>) = (100, 64..=127);

/// Whether something may call services and stores of the system though it sends no spans: a service that is known by a name within
/// the organization.
fn may_call_unseen(entity: &Entity) -> bool {
    entity.kind == EntityKind::External && is_within(&entity.name)
}

/// Adds whom those of the suspects that send no spans may wait for by calls that nobody sees, to what each suspect waits for: somebody
/// else who is worse and fares badly with others too. `bad` are the bad calls to each. Returns who may wait for whom so, as places
/// in the list. Cost: where there are any, [`BadCalls::apart_from`].
pub(crate) fn below(
    calls: &BadCalls,
    suspects: &[Entity],
    bad: &[f64],
    below: &mut [Places],
    is_worse: impl Fn(usize) -> bool,
) -> BTreeSet<(usize, usize)> {
    let may_call: Vec<bool> = suspects.iter().map(may_call_unseen).collect();
    let all = || 0..suspects.len();
    // Who has no bad calls waits for nobody.
    let waiting: Vec<usize> = all().filter(|at| may_call[*at] && bad[*at] > 0.0).collect();
    let worse: Vec<usize> = all().filter(|at| !may_call[*at] && is_worse(*at)).collect();
    if waiting.is_empty() || worse.is_empty() {
        return BTreeSet::new();
    }
    let of = |places: &[usize]| -> Vec<Entity> { places.iter().map(|at| suspects[*at].clone()).collect() };
    let apart = calls.apart_from(&of(&waiting), &of(&worse));
    let mut found = BTreeSet::new();
    for (waiting, apart) in waiting.into_iter().zip(apart) {
        let is_plain =
            |other: usize, apart: f64| apart > 0.0 && apart >= (APART_MIN * bad[other]).max(PLAIN_MIN * bad[waiting]);
        let others = worse.iter().zip(apart);
        let others = others.filter(|(other, apart)| is_plain(**other, *apart) && !below[**other].has(waiting));
        let others: Vec<usize> = others.map(|(other, _)| *other).collect();
        let mut more = Places::of(others.iter().copied());
        others.iter().for_each(|other| more.add(&below[*other]));
        for (at, below) in below.iter_mut().enumerate() {
            if at == waiting || below.has(waiting) {
                below.add(&more);
            }
        }
        found.extend(others.into_iter().map(|other| (waiting, other)));
    }
    found
}

fn is_within(name: &str) -> bool {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if let Some(address) = address(name).or_else(|| address(host)) {
        return is_private(address);
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.rsplit_once('.') {
        None => true,
        Some((_, last)) => WITHIN.contains(&last) || host.ends_with(HOME),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == SHARED.0 && SHARED.1.contains(&second);
            is_shared || address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_the_organization_are_services_of_its_own() {
        let may = |kind, name: &str| may_call_unseen(&Entity::new(kind, name));
        for name in [
            "cart",
            "cart:8080",
            "cart.shop.svc.cluster.local",
            "cart.shop.svc",
            "billing.corp",
            "10.1.2.3",
            "10.1.2.3:80",
            "fd00::1",
            "[::1]:80",
            "cart.Internal.",
            "nas.home.arpa",
            "100.100.1.2:80",
            "::ffff:10.1.2.3",
        ] {
            assert!(may(EntityKind::External, name), "{name}");
        }
        for name in [
            "api.payments.com",
            "api.payments.com:443",
            "8.8.8.8",
            "[2606:4700::1]:443",
            "100.128.1.2",
            "example.arpa",
        ] {
            assert!(!may(EntityKind::External, name), "{name}");
        }
        assert!(!may(EntityKind::Database, "cart") && !may(EntityKind::Service, "cart"));
    }
}
