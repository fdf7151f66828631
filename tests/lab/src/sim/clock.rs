//! Virtual time: a single-threaded executor whose clock jumps to the next thing that happens.
//!
//! Tasks are futures. Nothing here reads a real clock, and whoever becomes ready first is polled first, ties broken by
//! who asked first, so a simulation is a pure function of its seed. Tasks are woken by their number: a task may be
//! polled once too often, which every future here has to bear, and never once too seldom.
//!
//! Times are whole nanoseconds since the simulation began.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Tasks at once; a simulation that needs more has run away.
const TASKS_MAX: usize = 4_000_000;

/// Nanoseconds in a millisecond.
pub(crate) const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The clock and the tasks that live by it.
#[derive(Clone)]
pub(crate) struct Clock {
    inner: Rc<Inner>,
}

struct Inner {
    now: Cell<u64>,
    asked: Cell<u64>,
    current: Cell<usize>,
    timers: RefCell<BinaryHeap<Reverse<(u64, u64, usize)>>>,
    ready: RefCell<VecDeque<usize>>,
    tasks: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            inner: Rc::new(Inner {
                now: Cell::new(0),
                asked: Cell::new(0),
                current: Cell::new(0),
                timers: RefCell::default(),
                ready: RefCell::default(),
                tasks: RefCell::default(),
                free: RefCell::default(),
            }),
        }
    }

    /// Nanoseconds since the simulation began.
    pub(crate) fn now(&self) -> u64 {
        self.inner.now.get()
    }

    /// The task that is being polled, to be woken later.
    pub(crate) fn current(&self) -> usize {
        self.inner.current.get()
    }

    /// Has a task polled again, after those that are ready already.
    pub(crate) fn wake(&self, task: usize) {
        self.inner.ready.borrow_mut().push_back(task);
    }

    /// Has the current task polled again at a time.
    pub(crate) fn wake_at(&self, at: u64) {
        let inner = &self.inner;
        let order = inner.asked.get();
        inner.asked.set(order + 1);
        inner
            .timers
            .borrow_mut()
            .push(Reverse((at, order, inner.current.get())));
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let task: Task = Box::pin(future);
        let mut tasks = self.inner.tasks.borrow_mut();
        let id = self.inner.free.borrow_mut().pop().unwrap_or(tasks.len());
        assert!(id < TASKS_MAX, "the simulation ran away: {TASKS_MAX} tasks at once");
        if id == tasks.len() {
            tasks.push(None);
        }
        tasks[id] = Some(task);
        drop(tasks);
        self.wake(id);
    }

    /// Lets everything happen up to and including a time.
    pub(crate) fn run_until(&self, end: u64) {
        loop {
            loop {
                let next = self.inner.ready.borrow_mut().pop_front();
                let Some(task) = next else { break };
                self.poll(task);
            }
            let due = {
                let mut timers = self.inner.timers.borrow_mut();
                match timers.peek() {
                    Some(Reverse((at, ..))) if *at <= end => timers.pop(),
                    _ => None,
                }
            };
            let Some(Reverse((at, _, task))) = due else { break };
            self.inner.now.set(at);
            self.inner.ready.borrow_mut().push_back(task);
        }
        self.inner.now.set(end);
    }

    /// Ends all tasks; they hold the world, which holds the clock.
    pub(crate) fn end(&self) {
        let tasks = std::mem::take(&mut *self.inner.tasks.borrow_mut());
        drop(tasks);
        self.inner.ready.borrow_mut().clear();
        self.inner.timers.borrow_mut().clear();
        self.inner.free.borrow_mut().clear();
    }

    /// Waits for a span of time, in nanoseconds.
    pub(crate) fn sleep(&self, length: u64) -> Sleep {
        self.sleep_until(self.now().saturating_add(length))
    }

    pub(crate) fn sleep_until(&self, at: u64) -> Sleep {
        Sleep {
            clock: self.clone(),
            at,
            is_set: false,
        }
    }

    fn poll(&self, id: usize) {
        let task = self.inner.tasks.borrow_mut().get_mut(id).and_then(Option::take);
        let Some(mut task) = task else { return };
        self.inner.current.set(id);
        match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => self.inner.free.borrow_mut().push(id),
            Poll::Pending => self.inner.tasks.borrow_mut()[id] = Some(task),
        }
    }
}

/// Waits until a time.
pub(crate) struct Sleep {
    clock: Clock,
    at: u64,
    is_set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.at {
            return Poll::Ready(());
        }
        if !self.is_set {
            self.is_set = true;
            self.clock.wake_at(self.at);
        }
        Poll::Pending
    }
}

/// A future of the simulation that somebody else holds.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Waits for all of several futures of one task; the results are in their order.
pub(crate) struct All<'a, T> {
    futures: Vec<Option<Boxed<'a, T>>>,
    results: Vec<Option<T>>,
}

impl<'a, T> All<'a, T> {
    pub(crate) fn new(futures: Vec<Boxed<'a, T>>) -> Self {
        Self {
            results: futures.iter().map(|_| None).collect(),
            futures: futures.into_iter().map(Some).collect(),
        }
    }
}

impl<T: Unpin> Future for All<'_, T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        let mut is_waiting = false;
        for (slot, result) in this.futures.iter_mut().zip(&mut this.results) {
            if let Some(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => {
                        *result = Some(value);
                        *slot = None;
                    }
                    Poll::Pending => is_waiting = true,
                }
            }
        }
        if is_waiting {
            return Poll::Pending;
        }
        Poll::Ready(this.results.iter_mut().filter_map(Option::take).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_and_ties_go_by_who_asked_first() {
        let clock = Clock::new();
        let seen: Rc<RefCell<Vec<(u64, u32)>>> = Rc::default();
        for (name, wait) in [(1, 3600 * SECOND), (2, 5), (3, 5), (4, 0)] {
            let (own, seen) = (clock.clone(), Rc::clone(&seen));
            clock.spawn(async move {
                own.sleep(wait).await;
                seen.borrow_mut().push((own.now(), name));
            });
        }
        clock.run_until(3600 * SECOND);
        assert_eq!(*seen.borrow(), [(0, 4), (5, 2), (5, 3), (3600 * SECOND, 1)]);
    }

    #[test]
    fn all_waits_for_the_slowest_and_keeps_the_order() {
        let clock = Clock::new();
        let (own, done) = (clock.clone(), Rc::new(Cell::new(None)));
        let told = Rc::clone(&done);
        clock.spawn(async move {
            let wait = |length: u64| -> Boxed<'_, u64> {
                let clock = &own;
                Box::pin(async move {
                    clock.sleep(length).await;
                    length
                })
            };
            let results = All::new(vec![wait(30), wait(10), wait(20)]).await;
            told.set(Some((own.now(), results[0], results[2])));
        });
        clock.run_until(25);
        assert_eq!(done.get(), None);
        clock.run_until(30);
        assert_eq!(done.get(), Some((30, 30, 20)));
    }
}
