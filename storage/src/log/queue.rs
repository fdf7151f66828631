//! Requests that wait to be written: bounded in number and in bytes.

use crate::AppendError;
use bytes::Bytes;
use epicenter_schema::FlatBatch;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most requests that wait.
const QUEUE_LEN_MAX: usize = 8192;
/// Most bytes of payload that wait, unless a single request is larger.
const QUEUE_BYTES_MAX: usize = 128 << 20;
/// How long a sender is asked to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) payload: Bytes,
    pub(crate) spans: FlatBatch,
    /// Bytes that both hold.
    pub(crate) memory: usize,
    pub(crate) done: oneshot::Sender<Result<(), AppendError>>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Pending>,
    bytes: usize,
    memory: usize,
    closed: bool,
    rotate: bool,
}

/// What the writing thread is to do next.
pub(crate) enum Work {
    /// Write these, at least one.
    Write(Vec<Pending>),
    /// Complete the file that it writes.
    Rotate,
}

/// The queue between the callers and the writing thread.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request.
    ///
    /// # Errors
    /// [`AppendError::Overloaded`] when there is no room, [`AppendError::Closed`] after [`Queue::close`].
    pub(crate) fn push(&self, pending: Pending) -> Result<(), AppendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        let bytes = state.bytes + pending.payload.len();
        if state.waiting.len() >= QUEUE_LEN_MAX || (bytes > QUEUE_BYTES_MAX && !state.waiting.is_empty()) {
            return Err(AppendError::Overloaded {
                what: "the log's queue is full",
                retry_after: RETRY_AFTER,
            });
        }
        state.bytes = bytes;
        state.memory += pending.memory;
        state.waiting.push_back(pending);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for requests and takes them in order, up to `bytes_max` of payload but at least one; or for being asked to
    /// rotate. None when the queue is closed and empty.
    pub(crate) fn take(&self, bytes_max: usize) -> Option<Work> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            if std::mem::take(&mut state.rotate) {
                return Some(Work::Rotate);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            bytes += next.payload.len();
            if !group.is_empty() && bytes > bytes_max {
                break;
            }
            let Some(next) = state.waiting.pop_front() else { break };
            state.bytes -= next.payload.len();
            state.memory -= next.memory;
            group.push(next);
        }
        Some(Work::Write(group))
    }

    /// Asks for the file being written to be completed when nothing waits.
    pub(crate) fn rotate(&self) {
        self.lock().rotate = true;
        self.arrived.notify_all();
    }

    /// Takes no more requests; those that wait are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Memory held by the spans that wait.
    pub(crate) fn memory(&self) -> usize {
        self.lock().memory
    }
}
