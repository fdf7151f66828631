//! For tests: windows made by hand, and the scene of them.

use crate::Scene;
use crate::verdict::{Diagnosis, Suspect};
use epicenter_detect::Baseline;
use epicenter_graph::{
    Callee, Dimension, DimensionKey, DimensionStats, EdgeKey, EdgeStats, Entity, NameId, Names, OpKey, OpStats,
    PeerKind, Window,
};
use epicenter_schema::{DurationNs, SpanKind};

pub(crate) const MS: i64 = 1_000_000;
/// How long each window and period is.
pub(crate) const LENGTH: DurationNs = DurationNs::from_secs(10);

/// What is said when one is suspected for no reason told.
pub(crate) fn accused(entity: Entity) -> Diagnosis {
    let suspect = Suspect {
        entity,
        score: 1.0,
        share: 0.0,
        evidence: Vec::new(),
    };
    Diagnosis {
        suspects: vec![suspect],
        ..Diagnosis::default()
    }
}

/// Names, the system at rest, and the window that is looked at.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) names: Names,
    pub(crate) baseline: Baseline,
    pub(crate) window: Window,
}

impl Stage {
    /// The window becomes a period at rest; it is empty again afterwards.
    pub(crate) fn rest(&mut self) {
        self.baseline.push(std::mem::take(&mut self.window), LENGTH);
    }

    /// The edge of a caller to a callee: a service, or with `db:`, `cache:` or `host:` before the name what sends no spans.
    pub(crate) fn edge(&mut self, caller: &str, via: &str, callee: &str) -> &mut EdgeStats {
        let peer = |names: &mut Names, kind, name| Callee::Peer(kind, names.intern(name));
        let callee = match callee.split_once(':') {
            Some(("db", name)) => peer(&mut self.names, PeerKind::Database, name),
            Some(("cache", name)) => peer(&mut self.names, PeerKind::Cache, name),
            Some((_, name)) => peer(&mut self.names, PeerKind::Service, name),
            None => Callee::Service(self.names.intern(callee)),
        };
        let key = EdgeKey {
            caller: self.names.intern(caller),
            via: self.names.intern(via),
            callee,
        };
        self.window.edges.entry(key).or_default()
    }

    /// Calls of so many milliseconds, of which the callee explains all but the gap.
    pub(crate) fn calls(&mut self, (caller, via, callee): (&str, &str, &str), count: u64, ms: i64, gap_ms: i64) {
        let edge = self.edge(caller, via, callee);
        edge.count += count;
        for _ in 0..count {
            edge.client.add(ms * MS);
            edge.gap.add(gap_ms * MS);
        }
    }

    /// The operation of a service.
    pub(crate) fn op(&mut self, service: &str, name: &str) -> &mut OpStats {
        let key = OpKey {
            service: self.names.intern(service),
            name: self.names.intern(name),
            kind: SpanKind::Server,
        };
        self.window.ops.entry(key).or_default()
    }

    /// What a service does under a value of a dimension.
    pub(crate) fn dimension(&mut self, service: &str, dimension: Dimension, value: &str) -> &mut DimensionStats {
        let key = self.dimension_key(service, dimension, value);
        self.window.dimensions.entry(key).or_default()
    }

    pub(crate) fn dimension_key(&mut self, service: &str, dimension: Dimension, value: &str) -> DimensionKey {
        DimensionKey {
            service: self.names.intern(service),
            dimension,
            value: self.names.intern(value),
        }
    }

    pub(crate) fn id(&self, name: &str) -> NameId {
        self.names.find(name).expect("it has been named")
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            window: &self.window,
            length: LENGTH,
            baseline: &self.baseline,
            names: &self.names,
            same_load: true,
            whole: None,
            explained: None,
        }
    }
}
