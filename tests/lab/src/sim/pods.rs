//! Copies start, send what they have gathered every few seconds, stop in an orderly way, or die.

use super::clock::SECOND;
use super::gate::Gate;
use super::record::Failure;
use super::state::{Pod, World, nanoseconds};
use crate::system::{ServiceId, name_tail};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How long a copy that is told to stop goes on with what it has begun.
const GRACE: u64 = 5 * SECOND;
/// Until it is noticed that a copy is dead.
const NOTICED: u64 = SECOND;

/// How a new copy is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As the one whose place it takes: the process was started again.
    Same,
    New,
}

impl World {
    pub(super) fn start_all(self: &Rc<Self>) {
        for service in 0..self.services.len() {
            for _ in 0..self.system.services[service].pods {
                let version = self.system.services[service].version.clone();
                let pod = self.new_pod(service, version, None, Naming::New);
                self.run_pod(pod);
            }
        }
    }

    fn new_pod(&self, service: ServiceId, version: String, before: Option<&Pod>, naming: Naming) -> Rc<Pod> {
        let what = &self.system.services[service];
        let state = &self.services[service];
        let number = state.started.replace(state.started.get() + 1);
        let name = match before {
            Some(before) if naming == Naming::Same => before.name.clone(),
            // The replica set of a version has one hash.
            _ => {
                let hash = version.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
                });
                let tail = self.new_ids(|rng| name_tail(rng, 5));
                format!("{}-{hash:08x}-{tail}", what.name)
            }
        };
        Rc::new(Pod {
            service,
            name,
            node: before.map_or(what.nodes[number % what.nodes.len()], |before| before.node),
            version,
            workers: Gate::new(&self.clock, what.workers),
            alive: Cell::new(true),
            listed: Cell::new(true),
            unreachable: Cell::new(false),
            busy: Cell::new(0),
            trouble: RefCell::default(),
            pools: RefCell::default(),
            callers: RefCell::default(),
            spans: RefCell::default(),
            dropped: Cell::new(0),
        })
    }

    /// Lists a copy and has it send its spans.
    fn run_pod(self: &Rc<Self>, pod: Rc<Pod>) {
        let every = nanoseconds(self.system.services[pod.service].export_every_ms);
        let first = self.random(|rng| rng.u64(..every.max(1)));
        self.services[pod.service].pods.borrow_mut().push(Rc::clone(&pod));
        let world = Rc::clone(self);
        self.clock.spawn(async move {
            world.clock.sleep(first).await;
            while pod.alive.get() {
                world.export(&pod);
                world.clock.sleep(every).await;
            }
        });
    }

    /// Sends what a copy has gathered.
    pub(crate) fn export(&self, pod: &Pod) {
        let spans = std::mem::take(&mut *pod.spans.borrow_mut());
        if spans.is_empty() {
            return;
        }
        if let Some(sink) = &mut *self.sink.borrow_mut() {
            sink(&self.system, pod, &spans);
        }
    }

    /// Sends what all have gathered, at the end.
    pub(crate) fn export_all(&self) {
        for service in &self.services {
            for pod in service.pods.borrow().iter().filter(|pod| pod.alive.get()) {
                self.export(pod);
            }
        }
    }

    /// A copy dies, with what it was doing and what it had not sent. It is noticed a moment later.
    pub(crate) fn kill(self: &Rc<Self>, pod: &Rc<Pod>) {
        if !pod.alive.replace(false) {
            return;
        }
        pod.spans.borrow_mut().clear();
        for reply in std::mem::take(&mut *pod.callers.borrow_mut()).into_values() {
            reply.give(&self.clock, Err(Failure::Reset));
        }
        self.unlist_after(pod, NOTICED);
    }

    /// A copy vanishes with its machine: nobody is told.
    pub(crate) fn lose(self: &Rc<Self>, pod: &Rc<Pod>, noticed_after: u64) {
        pod.alive.set(false);
        pod.unreachable.set(true);
        pod.spans.borrow_mut().clear();
        pod.callers.borrow_mut().clear();
        self.unlist_after(pod, noticed_after);
    }

    fn unlist_after(self: &Rc<Self>, pod: &Rc<Pod>, after: u64) {
        let (world, pod) = (Rc::clone(self), Rc::clone(pod));
        self.clock.spawn(async move {
            world.clock.sleep(after).await;
            pod.listed.set(false);
            world.forget(&pod);
        });
    }

    /// A copy gets no more requests, ends what it has begun, sends its spans and stops.
    pub(crate) fn stop(self: &Rc<Self>, pod: &Rc<Pod>) {
        pod.listed.set(false);
        let (world, pod) = (Rc::clone(self), Rc::clone(pod));
        self.clock.spawn(async move {
            world.clock.sleep(GRACE).await;
            world.export(&pod);
            pod.alive.set(false);
            world.forget(&pod);
        });
    }

    fn forget(&self, pod: &Rc<Pod>) {
        let mut pods = self.services[pod.service].pods.borrow_mut();
        pods.retain(|other| !Rc::ptr_eq(other, pod));
    }

    /// Starts a copy in the place of another.
    pub(crate) fn start_instead(self: &Rc<Self>, before: &Pod, version: String, naming: Naming) -> Rc<Pod> {
        let pod = self.new_pod(before.service, version, Some(before), naming);
        self.run_pod(Rc::clone(&pod));
        pod
    }

    /// Copies of a service that work.
    pub(crate) fn pods(&self, service: ServiceId) -> Vec<Rc<Pod>> {
        let pods = self.services[service].pods.borrow();
        pods.iter()
            .filter(|pod| pod.alive.get() && pod.listed.get())
            .cloned()
            .collect()
    }
}
