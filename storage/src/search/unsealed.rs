//! Search in requests that are not sealed: flat columns first, and the Span messages of what is left.

use super::condition::{Attribute, Condition, Scope};
use super::nested::{in_described, in_span};
use super::{Found, Order, Search};
use crate::Error;
use crate::view::Unsealed;
use epicenter_schema::SpanRef;
use std::collections::HashMap;

pub(super) fn collect(record: &Unsealed, search: &Search, found: &mut Found) -> Result<(), Error> {
    let spans = record.spans.batch().spans();
    let mut described = Described::default();
    for row in 0..spans.len() {
        let span = spans.get(row);
        if !is_in_time(span, search) {
            continue;
        }
        let message = record.payload.get(record.spans.message(row)).unwrap_or_default();
        let mut met = true;
        for condition in &search.conditions {
            met = met && is_met(condition, span, message, &mut described)?;
        }
        if met {
            let key = match search.order {
                Order::Newest => span.start().0,
                Order::Longest => span.duration().0,
            };
            found.add(span.trace_id(), key);
        }
    }
    Ok(())
}

fn is_in_time(span: SpanRef<'_>, search: &Search) -> bool {
    let start = span.start();
    search.start.is_none_or(|from| start >= from) && search.end.is_none_or(|to| start < to)
}

fn is_met<'a>(
    condition: &Condition,
    span: SpanRef<'a>,
    message: &[u8],
    described: &mut Described<'a>,
) -> Result<bool, Error> {
    Ok(match condition {
        Condition::Service(name) => span.service_name() == name,
        Condition::Operation(name) => span.name() == name,
        Condition::Error(error) => span.is_error() == *error,
        Condition::DurationMin(least) => span.duration().0 >= *least,
        Condition::DurationMax(most) => span.duration().0 <= *most,
        Condition::Kind(kind) => span.kind_number() == *kind,
        Condition::Attribute(wanted) => {
            let nested = in_span(wanted, message).map_err(|source| Error::Message {
                path: "memory".to_owned(),
                source,
            })?;
            nested || described.is_met(wanted, span)
        }
    })
}

/// What was judged of resources and scopes, each of which many spans share.
#[derive(Default)]
struct Described<'a> {
    known: HashMap<(*const Attribute, &'a str), bool>,
}

impl<'a> Described<'a> {
    fn is_met(&mut self, wanted: &Attribute, span: SpanRef<'a>) -> bool {
        let texts = [
            (Scope::Resource, span.resource(), "resource"),
            (Scope::InstrumentationScope, span.scope(), "scope"),
        ];
        texts.into_iter().any(|(scope, json, what)| {
            let Some(json) = json.filter(|_| wanted.scope.has(scope)) else {
                return false;
            };
            let known = self.known.entry((std::ptr::from_ref(wanted), json));
            *known.or_insert_with(|| in_described(wanted, json, what))
        })
    }
}
