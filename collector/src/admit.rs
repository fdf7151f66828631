//! Admission: a bound on the bytes of requests that are held at once.
//!
//! A request takes a *lease* when it begins and grows it with every byte that is received or inflated, before the byte
//! is kept; nothing waits. When there is no room the request is refused with a time to come back, so memory is bounded
//! however many senders there are and however well their zeros compress.

use crate::refusal::{RETRY_AFTER, Refusal};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of the books.
const UNIT_BYTES: usize = 1024;

/// The room that all requests share.
#[derive(Debug)]
pub(crate) struct Gate {
    room: Arc<Semaphore>,
    units_total: usize,
}

impl Gate {
    pub(crate) fn new(max_in_flight_bytes: u64) -> Self {
        let units = usize::try_from(max_in_flight_bytes / UNIT_BYTES as u64).unwrap_or(usize::MAX);
        let units_total = units.min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(units_total)),
            units_total,
        }
    }

    /// A lease of nothing yet.
    pub(crate) fn lease(&self) -> Lease {
        Lease {
            room: Arc::clone(&self.room),
            held: None,
            bytes: 0,
        }
    }

    /// Bytes held now, in whole units.
    pub(crate) fn bytes_held(&self) -> u64 {
        (self.units_total.saturating_sub(self.room.available_permits()) * UNIT_BYTES) as u64
    }
}

/// One request's share of the room, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    room: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Lease {
    /// Takes room for more bytes, or refuses at once.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(bytes);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = self.bytes.div_ceil(UNIT_BYTES).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let full = || Refusal::Overloaded {
            retry_after: RETRY_AFTER,
        };
        let missing = u32::try_from(missing).map_err(|_| full())?;
        let more = Arc::clone(&self.room)
            .try_acquire_many_owned(missing)
            .map_err(|_| full())?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_before_it_is_used_and_given_back() {
        let gate = Gate::new(10 * 1024);
        let (mut a, mut b) = (gate.lease(), gate.lease());
        a.grow(1).expect("room");
        a.grow(1023).expect("the same unit");
        assert_eq!(gate.bytes_held(), 1024);
        b.grow(9 * 1024).expect("room");
        assert!(matches!(a.grow(1), Err(Refusal::Overloaded { .. })));
        drop(b);
        a.grow(1).expect("room again");
        drop(a);
        assert_eq!(gate.bytes_held(), 0);
    }
}
