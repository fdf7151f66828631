//! The same work for many things, in as many threads as there are processors for.

use std::num::NonZero;
use std::thread;

/// Things for which one more thread is worth its start.
const THINGS_MIN: usize = 2_000;
/// Threads at most: others want to work too.
const THREADS_MAX: usize = 4;

/// What `work` makes of the things, a part at a time, in the order of the parts.
pub(crate) fn spread<'a, T: Sync, R: Send>(things: &'a [T], work: impl Fn(&'a [T]) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(THREADS_MAX).min(things.len() / THINGS_MIN).max(1);
    let mut parts = things.chunks(things.len().div_ceil(threads).max(1));
    let first = parts.next().unwrap_or_default();
    let work = &work;
    thread::scope(|scope| {
        // Where there is no thread to be had the part is done here.
        let begun = |part| {
            let thread = thread::Builder::new().spawn_scoped(scope, move || work(part));
            thread.map_err(|_| part)
        };
        let others: Vec<_> = parts.map(begun).collect();
        let mut made = vec![work(first)];
        for other in others {
            made.push(match other {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(part) => work(part),
            });
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_in_the_order_of_the_things() {
        for many in [0, 1, THINGS_MIN, 5 * THINGS_MIN + 3] {
            let things: Vec<usize> = (0..many).collect();
            let made = spread(&things, <[usize]>::to_vec);
            assert_eq!(made.concat(), things);
        }
    }
}
