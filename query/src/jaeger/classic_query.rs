//! The parameters of a search in the older family.

use super::params::{Params, attributes, go_duration};
use super::{Refusal, TRACES_MAX};
use crate::search::{Query, equals};
use epicenter_schema::{DurationNs, Timestamp};

/// Traces of a search that names no number.
const TRACES_DEFAULT: usize = 100;
/// How far back is searched when the request does not say.
const LOOKBACK: i64 = 2 * 24 * 3_600_000_000_000;

/// A whole number of units since 1970.
pub(super) fn time(params: &Params, name: &str, unit_ns: i64) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = params.get(&[name]) else {
        return Ok(None);
    };
    let wrong = || {
        Refusal::bad(format!(
            "unable to parse param '{name}': {text:?} is not a whole number"
        ))
    };
    let number: i64 = text.parse().map_err(|_| wrong())?;
    Ok(Some(Timestamp(number.saturating_mul(unit_ns))))
}

/// Milliseconds to look back.
pub(super) fn lookback(params: &Params) -> Result<Option<DurationNs>, Refusal> {
    let back = time(params, "lookback", 1_000_000)?;
    Ok(back.map(|back| DurationNs(back.0)))
}

fn duration(params: &Params, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = params.get(&[name]) else {
        return Ok(None);
    };
    let wrong = || {
        let expected = "is not a duration, such as 1.5s, 300ms or 1h2m";
        Refusal::bad(format!("unable to parse param '{name}': {text:?} {expected}"))
    };
    go_duration(text)
        .filter(|nanos| *nanos >= 0)
        .map(Some)
        .ok_or_else(wrong)
}

/// Reads a search. The web page of Jaeger sends `start`, `end` and `lookback` side by side: the times count.
pub(super) fn parse(params: &Params, now: Timestamp) -> Result<Query, Refusal> {
    let Some(service) = params.get(&["service"]) else {
        return Err(Refusal::bad("parameter 'service' is required"));
    };
    let end = time(params, "end", 1_000)?.unwrap_or(now);
    let start = time(params, "start", 1_000)?;
    let start = start.unwrap_or(Timestamp(end.0.saturating_sub(LOOKBACK)));
    if start > end {
        return Err(Refusal::bad("invalid parameter: start time must be before end time"));
    }
    let limit = match params.get(&["limit"]) {
        None => TRACES_DEFAULT,
        Some(text) => match text.parse::<i64>() {
            Ok(number) if number <= 0 => return Err(Refusal::bad("invalid parameter: limit must be greater than 0")),
            Ok(number) => usize::try_from(number).unwrap_or(TRACES_MAX).min(TRACES_MAX),
            Err(_) => {
                return Err(Refusal::bad(format!(
                    "unable to parse param 'limit': {text:?} is not a number"
                )));
            }
        },
    };
    let (least, most) = (duration(params, "minDuration")?, duration(params, "maxDuration")?);
    if most.is_some_and(|most| most != 0 && least.is_some_and(|least| most < least)) {
        return Err(Refusal::bad("'maxDuration' should be greater than 'minDuration'"));
    }
    let mut query = Query {
        service: Some(service.to_owned()),
        operation: params
            .get(&["operation"])
            .filter(|name| *name != "all")
            .map(str::to_owned),
        min_duration_ns: least.filter(|least| *least > 0),
        max_duration_ns: most.filter(|most| *most > 0),
        start: Some(start),
        end: Some(Timestamp(end.0.saturating_add(1))),
        limit,
        ..Query::default()
    };
    for text in params.all("tag") {
        let Some((key, value)) = text.split_once(':') else {
            let message = format!("malformed 'tag' parameter, expecting key:value, received: {text}");
            return Err(Refusal::bad(message));
        };
        equals(&mut query, key, value)?;
    }
    for text in params.all("tags").filter(|text| !text.is_empty()) {
        let wrong = |why| Refusal::bad(format!("malformed 'tags' parameter, cannot unmarshal JSON: {why}"));
        for (key, value) in attributes(text).map_err(wrong)? {
            equals(&mut query, &key, &value)?;
        }
    }
    Ok(query)
}
