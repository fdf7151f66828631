//! Calls that nobody sees: a service without instrumentation may call whoever broke, and fails or is late with it.
//!
//! What sends no spans is known by the name under which it is called. A name within the organization is that of a service of
//! one's own, which may call any other; one of the public Internet is somebody else's, who does not, and stores call nobody.

use crate::calls::{BadCalls, Places};
use epicenter_graph::{Entity, EntityKind};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Share of the bad calls to somebody that must come from others than whoever waits for what sends no spans itself, for it to be what
/// that waits for in turn: those who wait may cut short what else they call.
const APART_MIN: f64 = 0.5;
/// How many such bad calls there must be, as a share of the bad calls to what sends no spans: two things that broke at once
/// are one when either is plain.
const PLAIN_MIN: f64 = 0.05;

/// Last labels of names that no public domain has. Sources: RFC 6761, RFC 6762, RFC 8375, ICANN resolution 2024.07.29.06 on `internal`,
/// the DNS specification of Kubernetes, and the names in common use that RFC 6762, appendix G, lists.
const WITHIN: [&str; 11] = [
    "arpa",
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

/// Whether something may call services and stores of the system though it sends no spans: a service that is known by a name within
/// the organization alone.
pub fn may_call_unseen(entity: &Entity) -> bool {
    entity.kind == EntityKind::External && is_within(&entity.name)
}

/// Adds whom those of the suspects that send no spans may wait for by calls that nobody sees, to what each suspect waits for: somebody
/// else who is worse and fares badly with others too. Returns who may wait for whom so, as places in the list.
pub(crate) fn below(
    calls: &BadCalls,
    suspects: &[Entity],
    below: &mut [Places],
    is_worse: impl Fn(usize) -> bool,
) -> BTreeSet<(usize, usize)> {
    let bad = calls.received(suspects);
    let may_call: Vec<bool> = suspects.iter().map(may_call_unseen).collect();
    let mut found = BTreeSet::new();
    for (waiting, entity) in suspects.iter().enumerate().filter(|(at, _)| may_call[*at]) {
        let apart = calls.apart_from(entity, suspects);
        let is_waited_for = |other: &usize| {
            let is_plain = apart[*other] >= (APART_MIN * bad[*other]).max(PLAIN_MIN * bad[waiting]);
            !may_call[*other] && is_worse(*other) && apart[*other] > 0.0 && is_plain && !below[*other].has(waiting)
        };
        let others: Vec<usize> = (0..suspects.len()).filter(is_waited_for).collect();
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
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return is_private(address);
    }
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return is_private(address);
    }
    match host.trim_end_matches('.').rsplit_once('.') {
        None => true,
        Some((_, last)) => WITHIN.iter().any(|within| last.eq_ignore_ascii_case(within)),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
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
        ] {
            assert!(may(EntityKind::External, name), "{name}");
        }
        for name in [
            "api.payments.com",
            "api.payments.com:443",
            "8.8.8.8",
            "[2606:4700::1]:443",
        ] {
            assert!(!may(EntityKind::External, name), "{name}");
        }
        assert!(!may(EntityKind::Database, "cart") && !may(EntityKind::Service, "cart"));
    }
}
