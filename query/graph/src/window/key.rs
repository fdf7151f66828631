//! By what a window is counted: operations, edges, flows of messages, values of dimensions.

use crate::names::{NameId, Names};
use crate::record::PeerKind;
use epicenter_schema::SpanKind;
use std::borrow::Cow;

/// An operation: what a service does under one span name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OpKey {
    /// The service.
    pub service: NameId,
    /// The span's name.
    pub name: NameId,
    /// The span's kind.
    pub kind: SpanKind,
}

/// Who is called.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Callee {
    /// A service whose span answers the call.
    Service(NameId),
    /// Somebody known only by the name that the caller gives.
    Peer(PeerKind, NameId),
}

/// Calls from one operation to one callee.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EdgeKey {
    /// The service that calls.
    pub caller: NameId,
    /// The name of the client span.
    pub via: NameId,
    /// Who is called.
    pub callee: Callee,
}

/// A property of instances along which badness may gather.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Dimension {
    /// The running copy.
    Instance,
    /// The machine.
    Node,
    /// The version.
    Version,
    /// The container image, with its tag.
    Image,
    /// The Kubernetes namespace, else that of the service.
    Namespace,
    /// The availability zone, else the region.
    Zone,
    /// The Kubernetes cluster.
    Cluster,
    /// The deployment, stateful set, daemon set or job.
    Workload,
    /// The deployment environment.
    Environment,
    /// A label of the pod, by the label's name.
    Label(NameId),
}

impl Dimension {
    /// The word used in APIs; `label.` and the label's name for labels.
    pub fn name(self, names: &Names) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Instance => "instance",
            Self::Node => "node",
            Self::Version => "version",
            Self::Image => "image",
            Self::Namespace => "namespace",
            Self::Zone => "zone",
            Self::Cluster => "cluster",
            Self::Workload => "workload",
            Self::Environment => "environment",
            Self::Label(label) => return Cow::Owned(format!("label.{}", names.get(label))),
        })
    }
}

/// A service under one value of a dimension.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DimensionKey {
    /// The service.
    pub service: NameId,
    /// The dimension.
    pub dimension: Dimension,
    /// Its value.
    pub value: NameId,
}

/// Which way messages go.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// From a service into a queue.
    Publish,
    /// From a queue to a service.
    Deliver,
}

/// Messages between a service and a queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowKey {
    /// The service.
    pub service: NameId,
    /// The queue.
    pub queue: NameId,
    /// Which way.
    pub direction: Direction,
}
