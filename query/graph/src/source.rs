//! Who sent a span, by everything that its resource says along which badness may gather.

use crate::names::{NameId, Names};
use crate::window::Dimension;
use serde::Deserialize;
use std::borrow::Cow;

/// Dimension values of one sender beyond instance, node and version.
const TAGS_MAX: usize = 16;
/// Longest text of a value; longer ones are cut.
const VALUE_BYTES_MAX: usize = 200;
/// What the keys of pod labels begin with. `k8s.pod.labels.` is the older spelling.
const LABELS: [&str; 2] = ["k8s.pod.label.", "k8s.pod.labels."];
/// Attributes that name the workload that a pod belongs to.
const WORKLOADS: [&str; 5] = [
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// A sender.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Source {
    pub(crate) service: NameId,
    pub(crate) instance: NameId,
    pub(crate) node: NameId,
    pub(crate) version: NameId,
    /// What else there is, sorted by name.
    pub(crate) tags: Box<[(Dimension, NameId)]>,
}

impl Source {
    /// Every dimension with its value.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = (Dimension, NameId)> {
        let plain = [
            (Dimension::Instance, self.instance),
            (Dimension::Node, self.node),
            (Dimension::Version, self.version),
        ];
        let tags = self.tags.iter().copied();
        plain.into_iter().chain(tags).filter(|(_, value)| *value != Names::NONE)
    }
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<Value<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
    #[serde(borrow)]
    array_value: Option<Values<'a>>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow, default)]
    values: Vec<Value<'a>>,
}

impl Value<'_> {
    /// The text, or the first text of a list.
    fn text(&self) -> Option<&str> {
        let first = || self.array_value.as_ref()?.values.first()?.string_value.as_deref();
        self.string_value
            .as_deref()
            .or_else(first)
            .filter(|text| !text.is_empty())
    }
}

/// The dimensions that a resource, given as OTLP/JSON, names beside instance, node and version: image, namespace, zone,
/// cluster, workload and labels. What cannot be read has none.
pub(crate) fn tags(json: &str, names: &mut Names) -> Box<[(Dimension, NameId)]> {
    let document: Option<Document<'_>> = serde_json::from_str(json).ok();
    let attributes = document
        .and_then(|document| document.resource)
        .map(|resource| resource.attributes);
    let attributes = attributes.unwrap_or_default();
    let find = |keys: &[&str]| {
        keys.iter().find_map(|key| {
            let found = attributes.iter().find(|attribute| attribute.key == *key)?;
            found.value.as_ref()?.text()
        })
    };
    let mut found: Vec<(Dimension, String)> = Vec::new();
    let mut add = |dimension, value: Option<&str>| {
        if let Some(value) = value {
            found.push((dimension, cut(value).to_owned()));
        }
    };
    let image = match (
        find(&["container.image.name"]),
        find(&["container.image.tags", "container.image.tag"]),
    ) {
        (Some(name), Some(tag)) => Some(format!("{name}:{tag}")),
        (name, tag) => name.or(tag).map(str::to_owned),
    };
    add(Dimension::Image, image.as_deref());
    add(Dimension::Namespace, find(&["k8s.namespace.name", "service.namespace"]));
    add(
        Dimension::Zone,
        find(&["cloud.availability_zone", "cloud.zone", "cloud.region"]),
    );
    add(Dimension::Cluster, find(&["k8s.cluster.name"]));
    add(Dimension::Workload, find(&WORKLOADS));
    add(
        Dimension::Environment,
        find(&["deployment.environment.name", "deployment.environment"]),
    );
    let mut labels: Vec<(&str, &str)> = attributes
        .iter()
        .filter_map(|attribute| {
            let label = LABELS.iter().find_map(|prefix| attribute.key.strip_prefix(prefix))?;
            Some((label, attribute.value.as_ref()?.text()?))
        })
        .collect();
    labels.sort_unstable();
    labels.dedup_by_key(|(label, _)| *label);
    labels.truncate(TAGS_MAX - found.len());
    let mut tags: Vec<(Dimension, NameId)> = found
        .into_iter()
        .map(|(dimension, value)| (dimension, names.intern(&value)))
        .collect();
    for (label, value) in labels {
        tags.push((Dimension::Label(names.intern(cut(label))), names.intern(cut(value))));
    }
    tags.into()
}

/// At most so many bytes, at the border of a character.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attributes: &str, expected: &[&str]) {
        let mut names = Names::default();
        let json = format!("{{\"resource\":{{\"attributes\":[{attributes}]}},\"schemaUrl\":\"\"}}");
        let found: Vec<String> = tags(&json, &mut names)
            .iter()
            .map(|(dimension, value)| format!("{} = {}", dimension.name(&names), names.get(*value)))
            .collect();
        assert_eq!(found, expected);
    }

    fn text(key: &str, value: &str) -> String {
        format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}")
    }

    #[test]
    fn a_resource_gives_its_dimensions() {
        let attributes = [
            text("k8s.pod.labels.team", "a"),
            text("k8s.pod.label.app", "cart"),
            text("container.image.name", "shop/cart"),
            "{\"key\":\"container.image.tags\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"1.2\"}]}}}"
                .to_owned(),
            text("k8s.namespace.name", "shop"),
            text("cloud.availability_zone", "eu-1a"),
            text("k8s.cluster.name", "blue"),
            text("k8s.statefulset.name", "cart-db"),
            text("deployment.environment", "live"),
            "{\"key\":\"n\",\"value\":{\"intValue\":\"1\"}}".to_owned(),
        ];
        check(
            &attributes.join(","),
            &[
                "image = shop/cart:1.2",
                "namespace = shop",
                "zone = eu-1a",
                "cluster = blue",
                "workload = cart-db",
                "environment = live",
                "label.app = cart",
                "label.team = a",
            ],
        );
        check("", &[]);
    }

    #[test]
    fn a_sender_has_a_bounded_number_of_labels() {
        let labels: Vec<String> = (0..100).map(|n| text(&format!("k8s.pod.label.l{n:03}"), "x")).collect();
        let mut names = Names::default();
        let json = format!("{{\"resource\":{{\"attributes\":[{}]}}}}", labels.join(","));
        assert_eq!(tags(&json, &mut names).len(), TAGS_MAX);
        assert!(tags("not json", &mut names).is_empty());
        let long = text("k8s.pod.label.long", &"ü".repeat(500));
        let json = format!("{{\"resource\":{{\"attributes\":[{long}]}}}}");
        let tags = tags(&json, &mut names);
        assert!(names.get(tags[0].1).len() <= VALUE_BYTES_MAX);
    }
}
