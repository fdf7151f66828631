//! The threads that queries run on.

use std::future::Future;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// Threads for queries: half of the machine's, within these bounds.
const THREADS_MIN: usize = 1;
const THREADS_MAX: usize = 8;
/// Threads that wait for the disk.
const WAITING_MAX: usize = 16;

/// A runtime apart from the one that receives and serves.
pub(super) struct Workers {
    runtime: Option<Runtime>,
    threads: usize,
}

impl Workers {
    pub(super) fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 2).clamp(THREADS_MIN, THREADS_MAX);
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(threads)
            .max_blocking_threads(WAITING_MAX)
            .thread_name("query")
            .enable_all();
        Ok(Self {
            runtime: Some(builder.build()?),
            threads,
        })
    }

    /// How many queries, or parts of one, run at the same time.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs work there; dropping the handle gives it up.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        let runtime = self.runtime.as_ref().expect("it is taken only when dropped");
        AbortOnDropHandle::new(runtime.spawn(work))
    }
}

impl Drop for Workers {
    /// A runtime must not be waited for where it may be dropped: on a thread of another runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
