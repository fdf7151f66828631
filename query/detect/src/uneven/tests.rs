//! Copies and machines of which little is heard, on windows made by hand.

use super::*;
use epicenter_graph::{Callee, EdgeKey, Names};

const STEP: DurationNs = DurationNs::from_secs(5);
const MS: u64 = 1_000_000;

#[derive(Default)]
struct Stage {
    names: Names,
    baseline: Baseline,
    windows: Vec<Window>,
}

impl Stage {
    fn key(&mut self, service: &str, dimension: Dimension, value: &str) -> DimensionKey {
        DimensionKey {
            service: self.names.intern(service),
            dimension,
            value: self.names.intern(value),
        }
    }

    /// One request of so many milliseconds of work, that fails or not.
    fn request(
        &mut self,
        window: &mut Window,
        (service, dimension, value): (&str, Dimension, &str),
        ms: u64,
        fails: bool,
    ) {
        let key = self.key(service, dimension, value);
        let stats = window.dimensions.entry(key).or_default();
        stats.entries += 1;
        stats.self_ns += ms * MS;
        stats.own_complaints += u64::from(fails);
    }

    /// Calls of a service of which so many fail and have no answer.
    fn calls(&mut self, window: &mut Window, callee: &str, count: u64, unanswered: u64) {
        let key = EdgeKey {
            caller: self.names.intern("front"),
            via: self.names.intern("GET"),
            callee: Callee::Service(self.names.intern(callee)),
        };
        let edge = window.edges.entry(key).or_default();
        edge.count += count;
        edge.unanswered_errors += unanswered;
    }

    fn found(&self) -> Vec<Uneven> {
        self.found_in(self.windows.len())
    }

    fn found_in(&self, look: usize) -> Vec<Uneven> {
        let windows: Vec<&Window> = self.windows.iter().collect();
        uneven(&windows, look, STEP, &self.baseline)
    }

    fn certain(&self) -> Vec<Spot> {
        let certain = self.found().into_iter().filter(|one| one.nats >= 15.0);
        certain.map(|one| one.spot).collect()
    }
}

const COPIES: [&str; 3] = ["a", "b", "c"];

/// Three copies at rest, and then one request of each in twelve windows, which the first answers as told by the window's number.
fn copies(work: impl Fn(usize) -> (u64, bool)) -> Stage {
    let mut stage = Stage::default();
    for _ in 0..48 {
        let mut window = Window::default();
        for copy in COPIES {
            stage.request(&mut window, ("cart", Dimension::Instance, copy), 5, false);
        }
        stage.baseline.push(window, STEP);
    }
    for number in 0..12 {
        let mut window = Window::default();
        for copy in COPIES {
            let (ms, fails) = if copy == "a" { work(number) } else { (5, false) };
            stage.request(&mut window, ("cart", Dimension::Instance, copy), ms, fails);
        }
        stage.windows.push(window);
    }
    stage
}

#[test]
fn a_copy_that_is_slow_in_nearly_every_window_is_found_and_one_that_paused_is_not() {
    let mut slow = copies(|number| (if number % 6 == 0 { 5 } else { 900 }, false));
    let spot = Spot::Part(slow.key("cart", Dimension::Instance, "a"));
    assert_eq!(slow.certain(), [spot]);
    assert_eq!((slow.found()[0].since, slow.found()[0].until), (1, 11));
    let paused = copies(|number| (if number < 2 { 60_000 } else { 5 }, false));
    assert!(paused.found().is_empty(), "{:?}", paused.found());
}

#[test]
fn a_copy_that_fails_while_its_siblings_do_not() {
    let mut fails = copies(|number| (5, number % 3 != 0));
    let spot = Spot::Part(fails.key("cart", Dimension::Instance, "a"));
    assert_eq!(fails.certain(), [spot]);
    assert!(copies(|number| (5, number == 3)).found().is_empty());
}

#[test]
fn a_service_that_is_slow_in_all_copies_is_even() {
    let mut stage = copies(|_| (900, false));
    for window in &mut stage.windows {
        window
            .dimensions
            .values_mut()
            .for_each(|stats| stats.self_ns = 900 * MS);
    }
    assert!(stage.found().is_empty());
}

/// Four services on either of two machines; `now` makes the last windows.
fn machines(now: impl Fn(&mut Stage, &mut Window, &str, &str)) -> Stage {
    let mut stage = Stage::default();
    for _ in 0..48 {
        let mut window = Window::default();
        for service in ["cart", "stock", "mail", "pay"] {
            for node in ["n1", "n2"] {
                stage.request(&mut window, (service, Dimension::Node, node), 5, false);
            }
            stage.calls(&mut window, service, 2, 0);
        }
        stage.baseline.push(window, STEP);
    }
    for _ in 0..6 {
        let mut window = Window::default();
        for service in ["cart", "stock", "mail", "pay"] {
            for node in ["n1", "n2"] {
                now(&mut stage, &mut window, service, node);
            }
        }
        stage.windows.push(window);
    }
    stage
}

#[test]
fn a_machine_on_which_all_is_slow() {
    let mut all = machines(|stage, window, service, node| {
        let ms = if node == "n1" { 100 } else { 5 };
        stage.request(window, (service, Dimension::Node, node), ms, false);
    });
    let node = Spot::Node(all.names.intern("n1"));
    assert_eq!(all.certain(), [node]);
    let one = machines(|stage, window, service, node| {
        let ms = if node == "n1" && service == "cart" { 100 } else { 5 };
        stage.request(window, (service, Dimension::Node, node), ms, false);
    });
    assert!(one.found().is_empty(), "one service is no machine");
}

#[test]
fn a_machine_that_is_silent_while_calls_have_no_answer() {
    let silent = |unanswered: u64| {
        machines(move |stage, window, service, node| {
            if node == "n2" {
                stage.request(window, (service, Dimension::Node, node), 5, false);
            } else {
                stage.calls(window, service, 20, unanswered);
            }
        })
    };
    let mut gone = silent(1);
    let node = Spot::Node(gone.names.intern("n1"));
    assert_eq!(gone.certain(), [node]);
    assert!(silent(0).found().is_empty(), "it was taken out of service");
}

#[test]
fn calls_without_an_answer_add_up_over_the_windows() {
    let mut stage = copies(|_| (5, false));
    let mut rest = Window::default();
    stage.calls(&mut rest, "cart", 100, 0);
    stage.baseline.push(rest, STEP);
    let mut windows = std::mem::take(&mut stage.windows);
    for window in &mut windows {
        stage.calls(window, "cart", 2, 1);
    }
    stage.windows = windows;
    let cart = Spot::Callee(stage.names.intern("cart"));
    assert_eq!(stage.certain(), [cart]);
}

/// The same copies; at rest as told by `rest`, then as told by `now`: milliseconds and whether it fails, by copy and window.
fn shifts(
    rest: impl Fn(&str, usize) -> (u64, bool),
    windows: usize,
    now: impl Fn(&str, usize) -> Option<(u64, bool)>,
) -> Stage {
    let mut stage = Stage::default();
    for number in 0..48 {
        let mut window = Window::default();
        for copy in COPIES {
            let (ms, fails) = rest(copy, number);
            stage.request(&mut window, ("cart", Dimension::Instance, copy), ms, fails);
        }
        stage.baseline.push(window, STEP);
    }
    for number in 0..windows {
        let mut window = Window::default();
        for copy in ["a", "b", "c", "d"] {
            if let Some((ms, fails)) = now(copy, number) {
                stage.request(&mut window, ("cart", Dimension::Instance, copy), ms, fails);
            }
        }
        stage.windows.push(window);
    }
    stage
}

#[test]
fn a_copy_that_always_fails_so_much() {
    let flaky = |copy: &str, number: usize| (5, copy == "a" && number.is_multiple_of(3));
    let known = |copy: &str| COPIES.contains(&copy);
    let usual = shifts(flaky, 24, |copy, number| known(copy).then(|| flaky(copy, number)));
    assert!(usual.found().is_empty(), "{:?}", usual.found());
    let mut worse = shifts(flaky, 24, |copy, _| known(copy).then_some((5, copy == "a")));
    let spot = Spot::Part(worse.key("cart", Dimension::Instance, "a"));
    assert_eq!(worse.certain(), [spot]);
}

#[test]
fn a_new_copy_may_warm_up_and_is_found_when_it_stays_slow() {
    let slow_for = |slow: usize| {
        let now = move |copy: &str, number: usize| match copy {
            "d" => (number >= 3).then_some((if number < 3 + slow { 900 } else { 5 }, false)),
            _ => Some((5, false)),
        };
        shifts(|_, _| (5, false), 24, now)
    };
    for look in [6, 12, 24] {
        let mut warms = slow_for(24);
        warms.windows.truncate(17);
        assert!(warms.found_in(look).is_empty(), "{look}: {:?}", warms.found_in(look));
    }
    assert!(slow_for(12).found().is_empty());
    let mut stays = slow_for(24);
    let spot = Spot::Part(stays.key("cart", Dimension::Instance, "d"));
    assert_eq!(stays.certain(), [spot]);
}

#[test]
fn a_copy_that_was_silent_before_is_new() {
    let after = |silence: usize| {
        let now = move |copy: &str, number: usize| match copy {
            "a" if number < 4 => Some((5, false)),
            "a" => (number >= 4 + silence).then_some((900, false)),
            "d" => None,
            _ => Some((5, false)),
        };
        shifts(|_, _| (5, false), 18, now)
    };
    for look in [6, 12, 24] {
        assert!(after(6).found_in(look).is_empty(), "{look}");
        assert!(!after(0).found_in(look).is_empty(), "{look}");
    }
}

#[test]
fn work_that_moves_to_another_copy_makes_nobody_slow() {
    // A job of 300 ms runs in every window, on the leader.
    let job = |leader: &'static str, works: u64| move |copy: &str| (if copy == leader { works } else { 5 }, false);
    let now = |leader: &'static str, works: u64| {
        let job = job(leader, works);
        move |copy: &str, _: usize| COPIES.contains(&copy).then(|| job(copy))
    };
    let rest = job("a", 300);
    let moved = shifts(|copy, _| rest(copy), 24, now("b", 300));
    assert!(moved.found().is_empty(), "{:?}", moved.found());
    assert!(!shifts(|copy, _| rest(copy), 24, now("b", 900)).found().is_empty());
}
