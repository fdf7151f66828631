//! What instrumentation would write down of what happens, as small as it can be: names are looked up when it is sent.

use crate::system::{OpId, QueueId, StoreId};

/// Why something failed.
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
    /// No connection of the caller's own pool became free.
    NoConnection,
}

/// Trace, span and parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// 0 for none.
    pub(crate) parent: u64,
}

impl Ids {
    /// A new trace, of which nothing is written yet.
    pub(crate) fn root(rng: &mut fastrand::Rng) -> Self {
        Self {
            trace: rng.u128(1..),
            span: 0,
            parent: 0,
        }
    }

    /// A new span under this one.
    pub(crate) fn child(self, rng: &mut fastrand::Rng) -> Self {
        Self {
            trace: self.trace,
            span: rng.u64(1..),
            parent: self.span,
        }
    }
}

/// What kind of span it is, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Server(OpId),
    Client {
        op: OpId,
        attempt: u32,
    },
    Internal(OpId),
    /// The cache that is asked before the store of `step`, or the store itself.
    Ask {
        store: StoreId,
        op: OpId,
        step: usize,
    },
    Producer(QueueId),
    Consumer(QueueId),
}

/// A span, before it has words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) ids: Ids,
    pub(crate) what: What,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) outcome: Result<(), Failure>,
    /// Failed by its own code rather than by what it asked for.
    pub(crate) is_own: bool,
    /// The span of the message, for consumers.
    pub(crate) link: Option<(u128, u64)>,
}
