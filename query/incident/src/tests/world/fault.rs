//! What a small system is made of, and what can be wrong with it.

/// A service: its own work, and whom it calls, one after the other. `db:name` and `cache:name` are stores.
#[derive(Clone, Debug)]
pub(in crate::tests) struct Service {
    pub(in crate::tests) name: &'static str,
    pub(in crate::tests) work_ms: f64,
    pub(in crate::tests) calls: Vec<&'static str>,
    pub(in crate::tests) pods: u64,
}

/// What is wrong, with whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::tests) enum Fault {
    /// Connections are refused; a store or a service.
    Dead(&'static str),
    /// This share of requests fails in it.
    Errors(&'static str, f64),
    /// All of its requests fail in it, before it calls anybody.
    Broken(&'static str),
    /// Its own work takes this many milliseconds longer; a store or a service.
    Slow(&'static str, f64),
    /// The way to it takes this many milliseconds longer.
    Network(&'static str, f64),
    /// This share of the calls to it is lost on the way.
    Lossy(&'static str, f64),
    /// Its pod of this number is slower by so many milliseconds.
    SlowPod(&'static str, u64, f64),
    /// Half of its pods run a new version that fails for this share of requests.
    BadVersion(&'static str, f64),
    /// Every second call to the store of the second name becomes four, the cache of the first answers misses.
    CacheEmpty(&'static str, &'static str),
    /// So many times more requests.
    Surge(f64),
    /// Nobody calls it any more; nothing fails.
    Unused(&'static str),
}
