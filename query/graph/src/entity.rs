//! What can break: the things that carry a name in a distributed system.

use serde::{Deserialize, Serialize};

/// Kind of an [`Entity`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// A service, named by `service.name`.
    Service,
    /// An operation of a service, named by its span.
    Operation,
    /// One running copy of a service.
    Instance,
    /// A machine under instances.
    Node,
    /// A version of a service.
    Version,
    /// The way between two services, named `caller -> callee`.
    Edge,
    /// A database that is seen only by those who call it.
    Database,
    /// A cache that is seen only by those who call it.
    Cache,
    /// A message queue or topic.
    Queue,
    /// Anything else that is called and sends no spans.
    External,
}

impl EntityKind {
    /// The word used in APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Instance => "instance",
            Self::Node => "node",
            Self::Version => "version",
            Self::Edge => "edge",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Queue => "queue",
            Self::External => "external",
        }
    }
}

/// Something that can break.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Entity {
    /// Its kind.
    pub kind: EntityKind,
    /// Its name: as telemetry gives it; callees without telemetry as their callers name them.
    pub name: String,
    /// The service that it belongs to, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl Entity {
    /// An entity that belongs to no service.
    pub fn new(kind: EntityKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            service: None,
        }
    }

    /// A service.
    pub fn service(name: impl Into<String>) -> Self {
        Self::new(EntityKind::Service, name)
    }

    /// An entity that belongs to a service.
    pub fn of(kind: EntityKind, name: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            service: Some(service.into()),
        }
    }
}
