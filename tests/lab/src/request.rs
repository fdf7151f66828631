//! A request on its way through the world: it waits for a worker, works, calls others, waits for them, gives up, tries
//! again. Spans record what happened to it, on the side that saw it.

use crate::scenario::{Operation, Step};
use crate::spans::{self, Context};
use crate::world::{Pod, Running, Store, World};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Nobody waits longer than this for a hung callee, whatever is configured.
const PATIENCE_MAX: Duration = Duration::from_secs(30);
/// The usual way between two copies, in milliseconds.
const WAY_MS: f64 = 0.4;
/// Pause before the first retry; doubles with each.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Why a call failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// Nobody listens.
    Refused,
    /// No answer in time.
    Timeout,
    /// The connection broke while waiting.
    Reset,
    /// The callee answered with an error.
    Error,
    /// The callee had no room.
    Full,
}

/// Where a request is being worked on.
#[derive(Clone)]
struct Place {
    world: Arc<World>,
    service: usize,
    pod: usize,
    life: u64,
}

impl Place {
    fn running(&self) -> &Running {
        &self.world.services[self.service]
    }

    fn pod(&self) -> &Pod {
        &self.running().pods[self.pod]
    }
}

/// A request from outside.
pub(crate) async fn enter(world: Arc<World>, service: String, operation: String) {
    let context = world.random(Context::root);
    let _ = arrive(world, service, operation, context).await;
}

/// A request arrives at a service; resolves with the answer.
pub(crate) fn arrive(
    world: Arc<World>,
    service: String,
    operation: String,
    caller: Context,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
    Box::pin(async move {
        let index = world
            .services
            .iter()
            .position(|s| s.service.name == service)
            .expect("the scenario was checked");
        let running = &world.services[index];
        let way = WAY_MS + running.way_ms.load(Ordering::Relaxed) as f64;
        wait_ms(world.work_ms(way)).await;
        let Some(pod) = running.next_pod() else {
            return Err(Failure::Refused);
        };
        let pod_index = running
            .pods
            .iter()
            .position(|p| std::ptr::eq(p, pod))
            .expect("it is one of them");
        let place = Place {
            service: index,
            pod: pod_index,
            life: pod.life.load(Ordering::Relaxed),
            world: Arc::clone(&world),
        };
        if pod.waiting.load(Ordering::Relaxed) >= running.service.queue {
            return Err(Failure::Full);
        }
        let operation = running
            .service
            .operations
            .iter()
            .find(|o| o.name == operation)
            .expect("checked")
            .clone();
        let died = pod.died.notified();
        tokio::select! {
            answer = serve(&place, &operation, caller) => answer,
            () = died => Err(Failure::Reset),
        }
    })
}

/// A copy works on a request.
async fn serve(place: &Place, operation: &Operation, caller: Context) -> Result<(), Failure> {
    let pod = place.pod();
    pod.waiting.fetch_add(1, Ordering::Relaxed);
    let leave = Leave(pod);
    let worker = pod.workers.acquire().await.map_err(|_| Failure::Reset)?;
    drop(leave);
    let context = place.world.random(|rng| caller.child(rng));
    let begun = Instant::now();
    if pod.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let slowness = pod.slowness.load(Ordering::Relaxed) as f64 / 1000.0;
    let work = place.world.work_ms(operation.work_ms * slowness);
    wait_ms(work * 0.6).await;
    let mut outcome = Ok(());
    let own_fault = place.world.chance(pod.failing.load(Ordering::Relaxed) as f64 / 1000.0);
    if own_fault {
        outcome = Err(Failure::Error);
    } else {
        for step in &operation.steps {
            outcome = run(place, step, &context).await;
            if outcome.is_err() {
                break;
            }
        }
        wait_ms(work * 0.4).await;
    }
    drop(worker);
    let server = spans::server(
        &place.running().service,
        &operation.name,
        &context,
        &caller,
        begun,
        outcome,
        own_fault,
    );
    pod.record(place.life, server);
    outcome.map_err(|_| Failure::Error)
}

/// Leaves the queue however waiting ends.
struct Leave<'a>(&'a Pod);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run<'a>(
    place: &'a Place,
    step: &'a Step,
    context: &'a Context,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
    Box::pin(async move {
        match step {
            Step::Call {
                call,
                operation,
                timeout_ms,
                retries,
                optional,
                share,
            } => {
                if !place.world.chance(*share) {
                    return Ok(());
                }
                let patience = Duration::from_millis(*timeout_ms).min(PATIENCE_MAX);
                let mut outcome = Ok(());
                for attempt in 0..=*retries {
                    if attempt > 0 {
                        sleep(BACK_OFF * 2u32.saturating_pow(attempt - 1)).await;
                    }
                    outcome = call_once(place, call, operation, patience, context).await;
                    if outcome.is_ok() {
                        break;
                    }
                }
                if *optional { Ok(()) } else { outcome }
            }
            Step::Query {
                query,
                statement,
                timeout_ms,
            } => {
                let store = place.world.database(query);
                ask(place, store, statement, Duration::from_millis(*timeout_ms), context).await
            }
            Step::Lookup {
                lookup,
                behind,
                statement,
                timeout_ms,
            } => {
                let cache = place.world.cache(lookup);
                // A cache that is gone is treated as one that knows nothing.
                let _ = ask(place, cache, "GET", Duration::from_millis(200), context).await;
                let hit = cache.alive.load(Ordering::Relaxed)
                    && place.world.chance(cache.hit.load(Ordering::Relaxed) as f64 / 1000.0);
                if hit {
                    return Ok(());
                }
                let store = place.world.database(behind);
                ask(place, store, statement, Duration::from_millis(*timeout_ms), context).await
            }
            Step::Publish { publish } => {
                hand_over(place, publish, context).await;
                Ok(())
            }
            Step::Parallel { parallel } => {
                let mut tasks = tokio::task::JoinSet::new();
                for step in parallel.clone() {
                    let (place, context) = (place.clone(), context.clone());
                    tasks.spawn(async move { run(&place, &step, &context).await });
                }
                let mut outcome = Ok(());
                while let Some(done) = tasks.join_next().await {
                    outcome = outcome.and(done.unwrap_or(Err(Failure::Reset)));
                }
                outcome
            }
        }
    })
}

/// One attempt at a call. The callee goes on working when the caller has given up.
async fn call_once(
    place: &Place,
    service: &str,
    operation: &str,
    patience: Duration,
    parent: &Context,
) -> Result<(), Failure> {
    let context = place.world.random(|rng| parent.child(rng));
    let begun = Instant::now();
    let callee = arrive(
        Arc::clone(&place.world),
        service.to_owned(),
        operation.to_owned(),
        context.clone(),
    );
    let outcome = match timeout(patience, tokio::spawn(callee)).await {
        Ok(answer) => answer.unwrap_or(Err(Failure::Reset)),
        Err(_) => Err(Failure::Timeout),
    };
    let callee = &place.world.service(service).service;
    place.pod().record(
        place.life,
        spans::client(callee, operation, &context, parent, begun, outcome),
    );
    outcome
}

/// A query of a database or a cache.
async fn ask(
    place: &Place,
    store: &Store,
    statement: &str,
    patience: Duration,
    parent: &Context,
) -> Result<(), Failure> {
    let context = place.world.random(|rng| parent.child(rng));
    let begun = Instant::now();
    let work = async {
        wait_ms(place.world.work_ms(WAY_MS)).await;
        if !store.alive.load(Ordering::Relaxed) {
            return Err(Failure::Refused);
        }
        let _worker = store.workers.acquire().await.map_err(|_| Failure::Reset)?;
        let slowness = store.slowness.load(Ordering::Relaxed) as f64 / 1000.0;
        wait_ms(place.world.work_ms(store.work_ms * slowness)).await;
        Ok(())
    };
    let outcome = timeout(patience, work).await.unwrap_or(Err(Failure::Timeout));
    place.pod().record(
        place.life,
        spans::query(store, statement, &context, parent, begun, outcome),
    );
    outcome
}

/// Puts a message into a queue; the consumer takes it out a moment later.
async fn hand_over(place: &Place, name: &str, parent: &Context) {
    let queue = place
        .world
        .scenario
        .queues
        .iter()
        .find(|q| q.name == name)
        .expect("checked")
        .clone();
    let context = place.world.random(|rng| parent.child(rng));
    let begun = Instant::now();
    wait_ms(place.world.work_ms(1.0)).await;
    place
        .pod()
        .record(place.life, spans::producer(&queue, &context, parent, begun));
    let world = Arc::clone(&place.world);
    tokio::spawn(async move {
        wait_ms(world.work_ms(30.0)).await;
        consume(world, queue, context).await;
    });
}

async fn consume(world: Arc<World>, queue: crate::scenario::Queue, message: Context) {
    let Some(index) = world.services.iter().position(|s| s.service.name == queue.consumer) else {
        return;
    };
    let running = &world.services[index];
    let Some(pod) = running.next_pod() else { return };
    let Some(at) = running.pods.iter().position(|p| std::ptr::eq(p, pod)) else {
        return;
    };
    let place = Place {
        service: index,
        pod: at,
        life: pod.life.load(Ordering::Relaxed),
        world: Arc::clone(&world),
    };
    let Some(operation) = running.service.operations.iter().find(|o| o.name == queue.operation) else {
        return;
    };
    let Ok(_worker) = pod.workers.acquire().await else {
        return;
    };
    let context = world.random(|rng| message.child(rng));
    let begun = Instant::now();
    let slowness = pod.slowness.load(Ordering::Relaxed) as f64 / 1000.0;
    wait_ms(world.work_ms(operation.work_ms * slowness)).await;
    let mut outcome = Ok(());
    for step in &operation.steps {
        outcome = run(&place, step, &context).await;
        if outcome.is_err() {
            break;
        }
    }
    pod.record(place.life, spans::consumer(&queue, &context, &message, begun, outcome));
}

async fn wait_ms(ms: f64) {
    sleep(Duration::from_secs_f64(ms.clamp(0.0, 600_000.0) / 1000.0)).await;
}

#[cfg(test)]
mod tests;
