//! The parameters of a request: read by name, unknown ones refused, for a misspelt filter that is ignored gives a wrong answer.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use epicenter_schema::Timestamp;

/// Longest query string, decoded or not.
const QUERY_BYTES_MAX: usize = 16 << 10;
/// Longest part of a wrong value that is told back.
const TOLD_CHARS_MAX: usize = 80;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Problem {
    /// A parameter with a value that cannot be.
    pub(crate) fn parameter(name: &str, found: &str, expected: &str) -> Self {
        let found: String = found.chars().take(TOLD_CHARS_MAX).collect();
        Self::invalid(format!("parameter {name} is {found:?}, expected {expected}"))
    }
}

/// The variable part of a path, decoded.
pub(crate) struct PathParam(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let decoded = Path::from_request_parts(parts, state).await;
        let Path(text) = decoded.map_err(|_| Problem::invalid("the path is not UTF-8 in percent-encoding"))?;
        Ok(Self(text))
    }
}

/// Decoded parameters, in the order given.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Decodes a query string and refuses parameters that are not in `names`.
    pub(crate) fn parse(query: Option<&str>, names: &[&str]) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX {
            return Err(Problem::invalid(format!(
                "the query string is longer than {QUERY_BYTES_MAX} bytes"
            )));
        }
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (name, _) in &pairs {
            if !names.contains(&name.as_str()) {
                let name: String = name.chars().take(TOLD_CHARS_MAX).collect();
                let known = if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                };
                return Err(Problem::invalid(format!(
                    "there is no parameter {name:?} here; known are: {known}"
                )));
            }
        }
        Ok(Self { pairs })
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may be given once; an empty one counts as absent.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self
            .pairs
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        let first = values.next();
        match values.next() {
            Some(second) => Err(Problem::parameter(name, second, "it to be given once")),
            None => Ok(first.filter(|value| !value.is_empty())),
        }
    }

    /// A point in time: nanoseconds since 1970, or RFC 3339. A blank where a plus was is a plus.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        if let Ok(nanos) = text.parse::<i64>() {
            return Ok(Some(Timestamp(nanos)));
        }
        let repaired = text.replace(' ', "+");
        let parsed = chrono::DateTime::parse_from_rfc3339(&repaired)
            .ok()
            .and_then(|time| time.timestamp_nanos_opt());
        let expected = "nanoseconds since 1970 or RFC 3339 such as 2026-01-31T12:00:00Z";
        parsed
            .map(|nanos| Some(Timestamp(nanos)))
            .ok_or_else(|| Problem::parameter(name, text, expected))
    }

    /// A length of time in nanoseconds: a number with a unit, such as `1.5ms`, `300us`, `2s`, `1m`, `5ns`.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "ns" | "" => Some(1.0),
            "us" | "µs" => Some(1e3),
            "ms" => Some(1e6),
            "s" => Some(1e9),
            "m" | "min" => Some(60e9),
            "h" => Some(3600e9),
            _ => None,
        };
        let nanos = number
            .parse::<f64>()
            .ok()
            .zip(factor)
            .map(|(number, factor)| number * factor);
        nanos
            .filter(|nanos| (0.0..i64::MAX as f64).contains(nanos))
            .map(|nanos| Some(nanos.round() as i64))
            .ok_or_else(|| Problem::parameter(name, text, "a number with ns, us, ms, s, m or h, such as 1.5ms"))
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn count(&self, name: &str, most: usize) -> Result<Option<usize>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number
            .map(Some)
            .ok_or_else(|| Problem::parameter(name, text, &format!("1 to {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of `x` as a duration and as a time, or the message.
    fn check(value: &str, duration: Result<i64, &str>, time: Result<i64, &str>) {
        let query = format!("x={value}");
        let params = Params::parse(Some(&query), &["x"]).expect("known");
        let read = |found: Result<Option<i64>, Problem>, expected: Result<i64, &str>| match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, Some(expected), "{value}"),
            (Err(problem), Err(words)) => assert!(problem.message.contains(words), "{value}: {}", problem.message),
            (found, expected) => panic!("{value}: {found:?}, expected {expected:?}"),
        };
        read(params.duration("x"), duration);
        read(params.time("x").map(|time| time.map(|time| time.0)), time);
    }

    #[test]
    fn durations_and_times_have_units() {
        check("250", Ok(250), Ok(250));
        check("1.5ms", Ok(1_500_000), Err("RFC 3339"));
        check("2h", Ok(7_200_000_000_000), Err("RFC 3339"));
        check("1970-01-01T00:00:01.5Z", Err("1.5ms"), Ok(1_500_000_000));
        // A plus that was not encoded arrives as a blank.
        check("1970-01-01T01:00:00+01:00", Err("1.5ms"), Ok(0));
        check("-5", Err("1.5ms"), Ok(-5));
        check("99999999999h", Err("1.5ms"), Err("RFC 3339"));
        check("9999-01-01T00:00:00Z", Err("1.5ms"), Err("RFC 3339"));
    }

    #[test]
    fn names_what_it_knows() {
        for (query, names, words) in [
            ("a=1", &[][..], "known are: none"),
            ("a=1", &["b", "c"], "known are: b, c"),
            (&"b=1&".repeat(10_000), &["b"], "longer than"),
        ] {
            let problem = Params::parse(Some(query), names).err().expect("refused");
            assert!(problem.message.contains(words), "{}", problem.message);
        }
    }
}
