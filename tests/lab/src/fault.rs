//! What breaks, and what changes without breaking: the kinds, whom they may hit and how hard (`choose`), what they do to the
//! world (`strike`), what a good answer names (`truth`), and how two of them stand to each other (`relation`).

mod choose;
mod day;
mod relation;
mod strike;
pub(crate) mod truth;

pub(crate) use choose::choose;
pub use relation::Relation;
pub(crate) use relation::{entries_in_common, relation};
pub(crate) use strike::{Campaign, prepare, strike};

use crate::system::{OpId, ServiceId, StoreId};
use clap::ValueEnum;

/// How a system changes. From `Calm` on they are no faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// All copies of a service die and do not come up.
    Crash,
    /// All copies of a service take requests and never answer.
    Hang,
    /// One operation of a service takes much longer.
    SlowCode,
    /// One operation of a service fails often.
    Errors,
    /// A cache knows nothing any more, or is dead.
    CacheBreakdown,
    /// Many more requests come in, at one entry or at all.
    TrafficSurge,
    /// A machine is gone with all copies on it.
    NodeDead,
    /// Everything on a machine takes much longer.
    NodeSlow,
    /// One copy of a service is slow, fails or hangs.
    BadPod,
    /// A new version on a part of a service's copies is slow or fails.
    BadDeploy,
    /// A database takes much longer.
    SlowDatabase,
    /// A database is gone, or never answers.
    DeadDatabase,
    /// The way to a service is long.
    NetworkDelay,
    /// The way to a service loses packets.
    NetworkLoss,
    /// A service that became a little slower is buried by its callers' retries.
    RetryStorm,
    /// A third party takes much longer.
    SlowExternal,
    /// A third party is gone, or never answers.
    DeadExternal,
    /// Nothing happens.
    Calm,
    /// Traffic grows by half, slowly.
    Growth,
    /// Traffic goes up and down as in a day.
    DailyRhythm,
    /// Traffic falls to a tenth and comes back.
    QuietNight,
    /// A new version of a service that is as good as the old one.
    HealthyDeploy,
    /// A service is called that was not there before.
    NewService,
    /// A copy of a service is killed and started again.
    PodRestart,
    /// All the harmless ones in one long day. Seeds do not come to it by themselves.
    Day,
}

impl Kind {
    /// The kinds that seeds go through, faults first.
    pub fn all() -> Vec<Self> {
        let every = Self::value_variants().iter().copied();
        every.filter(|kind| *kind != Self::Day).collect()
    }

    /// Those of them that are faults.
    pub fn faults() -> Vec<Self> {
        Self::all().into_iter().filter(|kind| !kind.is_harmless()).collect()
    }

    /// Whether nothing is wrong.
    pub fn is_harmless(self) -> bool {
        self >= Self::Calm
    }

    /// As in files and tables: `slow_code`.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// A change of a certain system: whom it hits and how hard. What a kind does not need is left as it is.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) service: ServiceId,
    /// Only in this operation.
    pub(crate) op: Option<OpId>,
    pub(crate) store: StoreId,
    pub(crate) cache: StoreId,
    pub(crate) node: usize,
    /// Only from this caller.
    pub(crate) caller: Option<ServiceId>,
    /// Only at this entry.
    pub(crate) entry: Option<usize>,
    /// Copies that are hit.
    pub(crate) pods: usize,
    pub(crate) version: String,
    pub(crate) how: How,
}

/// How hard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// Gone, as that goes with the kind.
    Gone,
    /// Takes what comes and never answers.
    Hangs,
    /// So many times as long, or as much.
    Times(f64),
    /// Longer by so many milliseconds.
    Longer(f64),
    /// This share fails, or is lost.
    Share(f64),
}

impl Fault {
    /// In words, for people.
    pub(crate) fn severity(&self) -> String {
        match self.how {
            How::Gone => "gone".to_owned(),
            How::Hangs => "hangs".to_owned(),
            How::Times(times) => format!("times {times:.2}"),
            How::Longer(ms) => format!("{ms:.0} ms longer"),
            How::Share(share) => format!("{:.0} %", share * 100.0),
        }
    }
}
