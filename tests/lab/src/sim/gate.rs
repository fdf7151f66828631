//! Places that are taken for a while: workers of a copy, connections of a pool, queries of a database. First come, first
//! served.

use super::clock::Clock;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A number of places.
#[derive(Clone)]
pub(crate) struct Gate {
    inner: Rc<Inner>,
}

struct Inner {
    clock: Clock,
    free: Cell<usize>,
    waiting: Cell<usize>,
    line: RefCell<VecDeque<Rc<Ticket>>>,
}

struct Ticket {
    task: usize,
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Granted,
    Left,
}

impl Gate {
    pub(crate) fn new(clock: &Clock, places: usize) -> Self {
        Self {
            inner: Rc::new(Inner {
                clock: clock.clone(),
                free: Cell::new(places),
                waiting: Cell::new(0),
                line: RefCell::default(),
            }),
        }
    }

    /// How many wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.waiting.get()
    }

    /// Waits for a place, until a time at the latest; `None` when the time comes first.
    pub(crate) fn enter(&self, until: u64) -> Enter {
        Enter {
            gate: self.clone(),
            until,
            ticket: None,
        }
    }

    fn leave(&self) {
        let inner = &self.inner;
        loop {
            let next = inner.line.borrow_mut().pop_front();
            let Some(ticket) = next else {
                inner.free.set(inner.free.get() + 1);
                return;
            };
            if ticket.state.get() == State::Waiting {
                ticket.state.set(State::Granted);
                inner.waiting.set(inner.waiting.get() - 1);
                inner.clock.wake(ticket.task);
                return;
            }
        }
    }
}

/// Waiting for a place.
pub(crate) struct Enter {
    gate: Gate,
    until: u64,
    ticket: Option<Rc<Ticket>>,
}

impl Future for Enter {
    type Output = Option<Place>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Place>> {
        let inner = Rc::clone(&self.gate.inner);
        if let Some(ticket) = &self.ticket {
            if ticket.state.get() == State::Granted {
                self.ticket = None;
                return Poll::Ready(Some(Place(self.gate.clone())));
            }
            if inner.clock.now() >= self.until {
                return Poll::Ready(None);
            }
            return Poll::Pending;
        }
        if inner.free.get() > 0 {
            inner.free.set(inner.free.get() - 1);
            return Poll::Ready(Some(Place(self.gate.clone())));
        }
        let ticket = Rc::new(Ticket {
            task: inner.clock.current(),
            state: Cell::new(State::Waiting),
        });
        inner.waiting.set(inner.waiting.get() + 1);
        inner.line.borrow_mut().push_back(Rc::clone(&ticket));
        self.ticket = Some(ticket);
        if self.until < u64::MAX {
            inner.clock.wake_at(self.until);
        }
        Poll::Pending
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            match ticket.state.replace(State::Left) {
                State::Waiting => {
                    let waiting = &self.gate.inner.waiting;
                    waiting.set(waiting.get() - 1);
                }
                State::Granted => self.gate.leave(),
                State::Left => {}
            }
        }
    }
}

/// A place that is taken; free again when dropped.
pub(crate) struct Place(Gate);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_served_and_who_gives_up_leaves_the_line() {
        let clock = Clock::new();
        let gate = Gate::new(&clock, 1);
        let seen: Rc<RefCell<Vec<(u32, u64, bool)>>> = Rc::default();
        for (name, patience, stay) in [(1, 1000, 100), (2, 50, 10), (3, 1000, 10), (4, 1000, 10)] {
            let (clock_, gate, seen) = (clock.clone(), gate.clone(), Rc::clone(&seen));
            clock.spawn(async move {
                let place = gate.enter(patience).await;
                seen.borrow_mut().push((name, clock_.now(), place.is_some()));
                clock_.sleep(stay).await;
            });
        }
        clock.run_until(60);
        assert_eq!(gate.waiting(), 2);
        clock.run_until(1000);
        assert_eq!(
            *seen.borrow(),
            [(1, 0, true), (2, 50, false), (3, 100, true), (4, 110, true)]
        );
    }
}
