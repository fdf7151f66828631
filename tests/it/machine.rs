//! The machine that the journeys share. Some watch real programs for seconds and expect them to be as fast as a minute ago;
//! others keep every core busy, which a judgement of latency rightly notices. They take turns.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// For a journey that relies on time: beside others of its kind only.
pub(crate) async fn quiet() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// For a journey that takes all the machine has.
pub(crate) async fn busy() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}
