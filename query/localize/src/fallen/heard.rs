//! What is heard of a copy or a machine, beside its siblings.

use crate::Scene;
use epicenter_detect::sampling::thinning;
use epicenter_detect::stats::{divergence, lack_of_count};
use epicenter_graph::{Dimension, DimensionKey, NameId};
use hashbrown::HashMap;

/// Nats from which the lack of requests on one copy is beyond chance.
const NATS_MIN: f64 = 6.0;
/// Share of the expected requests that what is gone may have answered before it went.
pub(super) const LEFT_MAX: f64 = 0.4;
/// Share of their usual requests that siblings must answer to be healthy: callers that wait in vain ask less.
const HEALTHY_MIN: f64 = 0.2;
/// Requests to be expected below which nothing is said of a copy, or of one service on a machine.
pub(super) const EXPECTED_MIN: f64 = 4.0;

/// Requests of one service under one value.
#[derive(Clone, Copy, Default)]
pub(super) struct Heard {
    /// Usual in so much time.
    pub(super) usual: f64,
    pub(super) now: f64,
    /// Requests of the service under all other values: usual, and now.
    pub(super) siblings: (f64, f64),
}

impl Heard {
    /// To be expected of what the service answers altogether now; without siblings, as usual.
    pub(super) fn expected(self) -> f64 {
        let all = self.usual + self.siblings.0;
        if self.siblings.0 < EXPECTED_MIN.min(self.usual) {
            return self.usual;
        }
        self.usual.min((self.now + self.siblings.1) * self.usual / all)
    }

    /// How unlikely it is that so few are answered here: beside siblings, of so many altogether as its usual part of them.
    pub(super) fn nats(self) -> f64 {
        let all = self.now + self.siblings.1;
        let part = self.usual / (self.usual + self.siblings.0);
        let expected = self.expected();
        if expected < self.usual && self.now < all * part {
            all * divergence(self.now / all, part)
        } else {
            lack_of_count(self.now as u64, expected)
        }
    }

    pub(super) fn is_silent(self) -> bool {
        self.now <= LEFT_MAX * self.expected()
    }

    pub(super) fn is_gone(self) -> bool {
        self.is_silent() && self.nats() >= NATS_MIN
    }

    pub(super) fn is_gone_alone(&self) -> bool {
        self.is_gone() && self.has_healthy_siblings()
    }

    pub(super) fn and(self, other: Self) -> Self {
        let siblings = (self.siblings.0 + other.siblings.0, self.siblings.1 + other.siblings.1);
        Self {
            usual: self.usual + other.usual,
            now: self.now + other.now,
            siblings,
        }
    }

    pub(super) fn has_healthy_siblings(self) -> bool {
        self.siblings.0 >= EXPECTED_MIN && self.siblings.1 >= HEALTHY_MIN * self.siblings.0
    }
}

/// Requests by service and value, with those of the siblings, in no order. What was replaced long ago is left out.
pub(super) fn heard(
    scene: &Scene<'_>,
    dimension: Dimension,
    of: impl Fn(NameId) -> bool,
) -> impl Iterator<Item = (NameId, NameId, Heard)> {
    let rest = scene.baseline.total();
    let scale = scene.length.as_secs_f64() / scene.baseline.seconds().max(1e-9) * thinning(scene.window, rest);
    let is_asked = |key: &DimensionKey| key.dimension == dimension && of(key.service);
    // Usual, and now.
    let mut heard: HashMap<(NameId, NameId), (u64, u64)> = HashMap::new();
    for (key, stats) in rest.dimensions.iter().filter(|(key, _)| is_asked(key)) {
        if scene.baseline.is_heard_lately(key) {
            heard.entry((key.service, key.value)).or_default().0 = stats.entries;
        }
    }
    for (key, stats) in scene.window.dimensions.iter().filter(|(key, _)| is_asked(key)) {
        heard.entry((key.service, key.value)).or_default().1 = stats.entries;
    }
    let mut sums: HashMap<NameId, (u64, u64)> = HashMap::new();
    for ((service, _), (usual, now)) in &heard {
        let sum = sums.entry(*service).or_default();
        *sum = (sum.0 + usual, sum.1 + now);
    }
    heard.into_iter().map(move |((service, value), (usual, now))| {
        let all = sums.get(&service).copied().unwrap_or_default();
        let heard = Heard {
            usual: usual as f64 * scale,
            now: now as f64,
            siblings: ((all.0 - usual) as f64 * scale, (all.1 - now) as f64),
        };
        (service, value, heard)
    })
}
