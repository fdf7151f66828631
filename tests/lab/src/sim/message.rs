//! Messages: whoever sends one does not wait; a service of its own takes them up, a few at a time.

use super::flow::{self, Place};
use super::record::{Failure, Ids, Record, What};
use super::state::{Tracing, World};
use crate::system::QueueId;
use std::rc::Rc;

/// Handing a message over.
const SEND_MS: f64 = 0.8;
/// From the sender to the consumer.
const TRANSIT_MS: f64 = 15.0;

/// Puts a message into a queue.
pub(super) async fn publish(place: &Place, queue: QueueId) -> Result<(), Failure> {
    let world = &place.world;
    let ids = place.child();
    let start = world.clock.now();
    world.clock.sleep(world.time(SEND_MS, 0.4)).await;
    place.record(Record {
        ids,
        what: What::Producer(queue),
        start,
        end: world.clock.now(),
        outcome: Ok(()),
        is_own: false,
        link: None,
    });
    let own = Rc::clone(world);
    world.clock.spawn(async move {
        own.clock.sleep(own.time(TRANSIT_MS, 0.5)).await;
        consume(own, queue, ids).await;
    });
    Ok(())
}

async fn consume(world: Rc<World>, queue: QueueId, message: Ids) {
    let op = world.system.queues[queue].consumer;
    let service = world.system.ops[op].service;
    let Some(pod) = flow::pick(&world, service).filter(|pod| pod.alive.get()) else {
        // It would be delivered once more; nobody waits for it.
        return;
    };
    // The queue is the broker's, not the copy's: it waits there.
    let _worker = pod.workers.enter(u64::MAX).await;
    let under = if world.system.queues[queue].same_trace {
        message
    } else {
        world.new_ids(Ids::root)
    };
    let ids = match world.services[service].tracing.get() {
        Tracing::Full => world.new_ids(|rng| under.child(rng)),
        Tracing::Passes | Tracing::Breaks => under,
    };
    let place = Place {
        world: Rc::clone(&world),
        pod,
        op,
        ids,
    };
    let start = world.clock.now();
    let (outcome, is_own) = flow::work(&place).await;
    place.record(Record {
        ids,
        what: What::Consumer(queue),
        start,
        end: world.clock.now(),
        outcome,
        is_own,
        link: Some((message.trace, message.span)),
    });
}
