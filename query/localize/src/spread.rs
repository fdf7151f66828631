//! The same work for many things, in parts side by side (docs/adr/0012): what is made is the same, in the order of the parts.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::LazyLock;

/// Things for which a part of their own is worth it.
const THINGS_MIN: usize = 2_000;
/// Parts at most.
const PARTS_MAX: usize = 8;

/// None where no thread is to be had: the work is done in one part then.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let named = ThreadPoolBuilder::new().thread_name(|number| format!("localize-{number}"));
    named.build().ok()
});

/// What `work` makes of the things, a part at a time, in the order of the parts.
pub(crate) fn spread<'a, T: Sync, R: Send>(things: &'a [T], work: impl Fn(&'a [T]) -> R + Send + Sync) -> Vec<R> {
    let parts = (things.len() / THINGS_MIN).clamp(1, PARTS_MAX);
    match POOL.as_ref().filter(|_| parts > 1) {
        Some(pool) => pool.install(|| things.par_chunks(things.len().div_ceil(parts)).map(work).collect()),
        None => vec![work(things)],
    }
}

/// Two pieces of work side by side, where there are many things to do them for.
pub(crate) fn beside<A: Send, B: Send>(
    things: usize,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    match POOL.as_ref().filter(|_| things > THINGS_MIN) {
        Some(pool) => pool.install(|| rayon::join(one, other)),
        None => (one(), other()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_in_the_order_of_the_things() {
        for many in [0, 1, THINGS_MIN, 5 * THINGS_MIN + 3, 20 * THINGS_MIN] {
            let things: Vec<usize> = (0..many).collect();
            let made = spread(&things, <[usize]>::to_vec);
            assert!(made.len() <= PARTS_MAX);
            assert_eq!(made.concat(), things);
        }
    }
}
