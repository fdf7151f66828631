//! Waiting for a condition, with a deadline and a word for what did not come.

use std::future::Future;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Looks until `probe` gives something; fails the test after `patience`.
pub(crate) async fn until<T, F>(what: &str, patience: Duration, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(start.elapsed() < patience, "after {patience:?} still no {what}");
        tokio::time::sleep(LOOK).await;
    }
}
