//! What a resource says about who sends.

use epicenter_schema::{RawValue, ResourceRow};

/// Spans of a resource without a name belong to this service, as the specification has it.
const UNKNOWN_SERVICE: &[u8] = b"unknown_service";

/// The attributes of a resource that matter, copied: a resource is read once for many spans.
#[derive(Debug, Default)]
pub(crate) struct ResourceFacts {
    service_name: Vec<u8>,
    service_namespace: Vec<u8>,
    service_version: Vec<u8>,
    image_tag: Vec<u8>,
    pod_name: Vec<u8>,
    instance_id: Vec<u8>,
    container_id: Vec<u8>,
    node_name: Vec<u8>,
    host_name: Vec<u8>,
    zone: Vec<u8>,
}

impl ResourceFacts {
    /// Takes note of an attribute; `first_of_list` is the first text of an array.
    pub(crate) fn observe(&mut self, key: &[u8], scalar: Option<RawValue<'_>>, first_of_list: Option<&[u8]>) {
        let slot = match key {
            b"service.name" => &mut self.service_name,
            b"service.namespace" => &mut self.service_namespace,
            b"service.version" => &mut self.service_version,
            b"container.image.tag" | b"container.image.tags" => &mut self.image_tag,
            b"k8s.pod.name" => &mut self.pod_name,
            b"service.instance.id" => &mut self.instance_id,
            b"container.id" => &mut self.container_id,
            b"k8s.node.name" => &mut self.node_name,
            b"host.name" => &mut self.host_name,
            b"cloud.availability_zone" => &mut self.zone,
            _ => return,
        };
        if !slot.is_empty() {
            return;
        }
        match (scalar, first_of_list) {
            (Some(RawValue::String(text)), _) | (None, Some(text)) => slot.extend_from_slice(text),
            (Some(RawValue::Int(number)), _) => slot.extend_from_slice(number.to_string().as_bytes()),
            _ => {}
        }
    }

    /// The columns that the resource fills; `json` is the resource whole.
    pub(crate) fn row<'a>(&'a self, json: &'a [u8]) -> ResourceRow<'a> {
        fn first<'b>(texts: &[&'b Vec<u8>]) -> Option<&'b [u8]> {
            texts.iter().find(|text| !text.is_empty()).map(|text| text.as_slice())
        }
        ResourceRow {
            service_name: first(&[&self.service_name]).unwrap_or(UNKNOWN_SERVICE),
            service_namespace: first(&[&self.service_namespace]),
            service_version: first(&[&self.service_version, &self.image_tag]),
            instance: first(&[&self.pod_name, &self.instance_id, &self.container_id]),
            node: first(&[&self.node_name, &self.host_name]),
            zone: first(&[&self.zone]),
            json,
        }
    }
}
