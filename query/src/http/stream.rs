//! `GET /api/v1/stream`: server-sent events `incidents` and `graph`, each when it changed, looked at once a second.

use super::aside;
use super::dto::incident::IncidentsDto;
use super::params::{Params, Problem};
use crate::live::Live;
use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often is looked for changes.
const LOOK: Duration = Duration::from_secs(1);
/// How often a stream without changes shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Streams at the same time.
const STREAMS_MAX: usize = 64;

/// What the streams share.
#[derive(Clone)]
pub(super) struct Streams {
    live: Arc<Live>,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Streams {
    pub(super) fn new(live: Arc<Live>, shutdown: CancellationToken) -> Self {
        Self {
            live,
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
            shutdown,
        }
    }
}

/// One subscriber.
struct Subscriber {
    streams: Streams,
    ticks: Interval,
    incidents: String,
    graph: Arc<str>,
    waiting: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn stream(
    State(streams): State<Streams>,
    RawQuery(query): RawQuery,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let place = Arc::clone(&streams.places)
        .try_acquire_owned()
        .map_err(|_| Problem::busy())?;
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let subscriber = Subscriber {
        streams,
        ticks,
        incidents: String::new(),
        graph: "".into(),
        waiting: VecDeque::new(),
        _place: place,
    };
    let events = futures::stream::unfold(subscriber, |mut subscriber| async move {
        let event = subscriber.next().await?;
        Some((Ok(event), subscriber))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Subscriber {
    /// The next change; none when the service stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.streams.shutdown.cancelled() => return None,
                _ = self.ticks.tick() => {}
            }
            let live = Arc::clone(&self.streams.live);
            let look = aside(move || {
                let all = live.history.all();
                let incidents = serde_json::to_string(&IncidentsDto::listing(&all));
                (incidents, live.graph_now())
            });
            let (Ok(incidents), Ok(graph)) = look.await.ok()? else {
                return None;
            };
            if incidents != self.incidents {
                self.waiting
                    .push_back(Event::default().event("incidents").data(&incidents));
                self.incidents = incidents;
            }
            if graph != self.graph {
                self.waiting.push_back(Event::default().event("graph").data(&graph));
                self.graph = graph;
            }
        }
    }
}
