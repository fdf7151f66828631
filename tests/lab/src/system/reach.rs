//! Who may suffer because of whom, by how a system was built: over calls, over the calls made instead of failed ones, and
//! over queues from who publishes to who consumes.

use super::{OpId, QueueId, ServiceId, Step, System};
use std::collections::BTreeSet;

impl System {
    /// Operations that these ask for over any number of calls, these included.
    pub(crate) fn asked_by(&self, ops: &BTreeSet<OpId>) -> BTreeSet<OpId> {
        let mut found = ops.clone();
        let mut open: Vec<OpId> = ops.iter().copied().collect();
        while let Some(op) = open.pop() {
            open.extend(
                self.calls(op)
                    .map(|call| call.op)
                    .filter(|callee| found.insert(*callee)),
            );
        }
        found
    }

    /// Services that any operation of these leads to over calls and messages, these included. Wider than [`Self::asked_by`]:
    /// the operations of a service share its workers, so that each may suffer with the others.
    pub(crate) fn led_to_by(&self, services: &BTreeSet<ServiceId>) -> BTreeSet<ServiceId> {
        let mut found = services.clone();
        let mut open: Vec<ServiceId> = services.iter().copied().collect();
        while let Some(service) = open.pop() {
            let ops = self.services[service].ops.iter();
            let next = ops.flat_map(|op| self.leads_to(*op)).map(|op| self.ops[op].service);
            open.extend(next.filter(|next| found.insert(*next)));
        }
        found
    }

    fn leads_to(&self, op: OpId) -> Vec<OpId> {
        let consumer = |queue: QueueId| self.queues[queue].consumer;
        let of = |step: &Step| match step {
            Step::Call(call) => [Some(call.op), call.fallback],
            Step::Publish(queue) => [Some(consumer(*queue)), None],
            Step::Ask(_) | Step::Parallel(_) => [None, None],
        };
        self.steps(op).into_iter().flat_map(of).flatten().collect()
    }
}
