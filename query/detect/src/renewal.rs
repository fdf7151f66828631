//! Services whose work changed because they, or whom they call, call a service that answered hardly anybody before.
//!
//! The new call takes time that nobody spent before, which is a change and no symptom. So what such a service took until
//! then is no measure any more: it is not judged by its time until [`PERIODS_MIN`] periods were learned since, and then by
//! those alone. Requests that enter the system are judged all the same.

use epicenter_graph::{Callee, EdgeKey, NameId, Window};
use epicenter_schema::SpanKind;
use std::collections::{BTreeMap, BTreeSet};

/// Periods after which a changed service is known again.
const PERIODS_MIN: u32 = 4;
/// Requests that a service answered at rest for it to be known.
const ANSWERED_MIN: u64 = 5;
/// Services whose change is remembered; beyond it changes are not noticed.
const SERVICES_MAX: usize = 20_000;
/// Hops followed to the callers of what is new.
const HOPS_MAX: usize = 32;

/// When services changed, by the number of the period.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewals {
    since: BTreeMap<NameId, u32>,
}

impl Renewals {
    /// Takes note of what a period holds that no period before did.
    pub(crate) fn take(&mut self, period: &Window, total: &Window, number: u32) {
        let is_unsettled = |service| self.is_unsettled(service, number);
        for service in callers_of_new(period, total, |key| total.edges.contains_key(key), is_unsettled) {
            if self.since.len() < SERVICES_MAX || self.since.contains_key(&service) {
                self.since.insert(service, number);
            }
        }
    }

    /// The first period by which a service may be measured.
    pub(crate) fn since(&self, service: NameId) -> u32 {
        self.since.get(&service).copied().unwrap_or(0)
    }

    /// Whether a service changed so lately before that period that it is not known yet what it takes.
    pub(crate) fn is_unsettled(&self, service: NameId, number: u32) -> bool {
        let since = self.since.get(&service);
        since.is_some_and(|since| number - since < PERIODS_MIN)
    }

    /// Forgets what happened before that period.
    pub(crate) fn forget(&mut self, before: u32) {
        self.since.retain(|_, since| *since > before);
    }
}

/// Services that call, over any number of hops, a service that answered hardly anybody at rest, and those. So does who calls
/// a service for the first time while it is unsettled: who seldom calls comes late. Cost: one look at each edge, and at each operation
/// at rest when an edge is new.
pub(crate) fn callers_of_new(
    window: &Window,
    rest: &Window,
    is_usual: impl Fn(&EdgeKey) -> bool,
    is_unsettled: impl Fn(NameId) -> bool,
) -> BTreeSet<NameId> {
    let mut new = BTreeSet::new();
    let mut known = BTreeSet::new();
    let mut answered: Option<BTreeMap<NameId, u64>> = None;
    for key in window.edges.keys().filter(|key| !is_usual(key)) {
        let Callee::Service(callee) = key.callee else { continue };
        if new.contains(&callee) || known.contains(&callee) {
            continue;
        }
        let answered = answered.get_or_insert_with(|| answers(rest));
        let is_known = answered.get(&callee).is_some_and(|count| *count >= ANSWERED_MIN);
        if is_known && !is_unsettled(callee) {
            known.insert(callee)
        } else {
            new.insert(callee)
        };
    }
    for _ in 0..HOPS_MAX {
        let before = new.len();
        if before == 0 {
            break;
        }
        for key in window.edges.keys() {
            if matches!(key.callee, Callee::Service(callee) if new.contains(&callee)) {
                new.insert(key.caller);
            }
        }
        if new.len() == before {
            break;
        }
    }
    new
}

/// Requests that each service answered; what consumers do is no answer.
fn answers(rest: &Window) -> BTreeMap<NameId, u64> {
    let mut answered = BTreeMap::new();
    for (key, op) in rest.ops.iter().filter(|(key, _)| key.kind != SpanKind::Consumer) {
        *answered.entry(key.service).or_default() += op.entries;
    }
    answered
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::{EdgeStats, Names, OpKey, OpStats};

    fn who_changed(now: &Window, rest: &Window) -> BTreeSet<NameId> {
        callers_of_new(now, rest, |key| rest.edges.contains_key(key), |_| false)
    }

    fn window(names: &mut Names, calls: &[(&str, &str)]) -> Window {
        let mut window = Window::default();
        for (caller, callee) in calls {
            let (caller, callee) = (names.intern(caller), names.intern(callee));
            let edge = EdgeKey {
                caller,
                via: Names::NONE,
                callee: Callee::Service(callee),
            };
            window.edges.insert(edge, EdgeStats::default());
            let op = OpKey {
                service: callee,
                name: Names::NONE,
                kind: SpanKind::Server,
            };
            let entered = OpStats {
                entries: ANSWERED_MIN,
                ..OpStats::default()
            };
            window.ops.insert(op, entered);
        }
        window
    }

    #[test]
    fn the_callers_of_a_new_service_are_renewed_and_others_are_not() {
        let mut names = Names::default();
        let rest = window(&mut names, &[("front", "cart"), ("front", "stock")]);
        let now = window(&mut names, &[("front", "cart"), ("cart", "fraud"), ("front", "stock")]);
        let changed = who_changed(&now, &rest);
        let mut changed: Vec<&str> = changed.iter().map(|id| names.get(*id).as_ref()).collect();
        changed.sort_unstable();
        assert_eq!(changed, ["cart", "fraud", "front"]);
        assert!(who_changed(&rest, &rest).is_empty());
        let turned = window(&mut names, &[("stock", "cart")]);
        assert!(who_changed(&turned, &rest).is_empty(), "a new call to a known service");
    }

    #[test]
    fn who_seldom_calls_a_new_service_is_renewed_when_it_first_does() {
        let mut names = Names::default();
        let rest = window(&mut names, &[("front", "cart"), ("front", "mail")]);
        let begun = window(&mut names, &[("front", "cart"), ("cart", "fraud")]);
        let mut total = rest.clone();
        let mut renewals = Renewals::default();
        renewals.take(&begun, &total, 1);
        total.merge(&begun);
        let later = window(&mut names, &[("mail", "fraud")]);
        renewals.take(&later, &total, 3);
        let since = |renewals: &Renewals, name: &str| renewals.since(names.find(name).expect("known"));
        assert_eq!((since(&renewals, "cart"), since(&renewals, "mail")), (1, 3));
        let mut settled = Renewals::default();
        settled.take(&begun, &rest, 1);
        settled.take(&later, &total, 1 + PERIODS_MIN);
        assert_eq!(since(&settled, "mail"), 0, "by then it is a known service");
    }
}
