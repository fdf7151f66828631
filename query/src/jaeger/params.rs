//! Reading parameters as Jaeger's services do: unknown ones are ignored, the first of a name counts, empty is absent.

use super::Refusal;
use epicenter_schema::Timestamp;

/// Nanoseconds of the units of a Go duration, longer names first.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Decoded parameters.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn new(query: Option<&str>) -> Self {
        Self(
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of a parameter, with the spelling that was used; of several spellings the one named first counts.
    pub(super) fn named<'a>(&self, spellings: &[&'a str]) -> Option<(&'a str, &str)> {
        spellings.iter().find_map(|spelling| {
            let mut pairs = self.0.iter();
            let found = pairs.find(|(name, value)| !value.is_empty() && name == spelling);
            found.map(|(_, value)| (*spelling, value.as_str()))
        })
    }

    /// The value alone.
    pub(super) fn get(&self, spellings: &[&str]) -> Option<&str> {
        self.named(spellings).map(|(_, value)| value)
    }

    /// The entries of a map that is written one entry a parameter, as the gRPC gateway reads it: `name[key]=value`.
    pub(super) fn entries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(key, value)| {
            let inner = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some((inner, value.as_str()))
        })
    }

    /// Every value of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter(move |(key, _)| key == name);
        pairs.map(|(_, value)| value.as_str())
    }
}

/// RFC 3339 with any offset. A blank where a plus was is a plus. Times before 1677 and after 2262, which nanoseconds in 64
/// bits do not reach, are the first and the last that they do.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok()?;
    let beyond = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
    Some(Timestamp(time.timestamp_nanos_opt().unwrap_or(beyond)))
}

/// A Go duration in nanoseconds: numbers with units, one after the other, such as `1h2m3.5s`, `300ms`, or `0`.
pub(super) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, nanos) = UNITS.iter().find(|(unit, _)| {
            let after = rest.strip_prefix(unit);
            after.is_some_and(|after| after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
        })?;
        total += number * nanos;
        rest = &rest[unit.len()..];
    }
    let total = if negative { -total } else { total };
    (total.abs() < i64::MAX as f64).then_some(total.round() as i64)
}

/// The attributes of a search: a JSON object, whose values are texts, numbers or truth values.
pub(super) fn attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let parsed: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let object = parsed.as_object().ok_or("it is not a JSON object")?;
    let pairs = object.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => Ok((key.clone(), text.clone())),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Ok((key.clone(), value.to_string())),
        _ => Err(format!("the value of {key:?} is not a text")),
    });
    pairs.collect()
}

/// The span kind that a word means, as its OTLP number; words of both families.
pub(super) fn kind(word: &str) -> Option<i32> {
    let word = word.to_ascii_lowercase();
    let word = word.strip_prefix("span_kind_").unwrap_or(&word);
    let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    kinds.iter().position(|kind| *kind == word).map(|kind| kind as i32)
}

/// `true` and `false` as Go reads them; what it is called, and what it says.
pub(super) fn boolean(found: Option<(&str, &str)>) -> Result<bool, Refusal> {
    match found {
        None | Some((_, "0" | "f" | "F" | "false" | "FALSE" | "False")) => Ok(false),
        Some((_, "1" | "t" | "T" | "true" | "TRUE" | "True")) => Ok(true),
        Some((name, other)) => Err(Refusal::bad(format!(
            "malformed parameter {name}: {other:?} is not true or false"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("1h2m3.5s", Some(3_723_500_000_000)),
            ("300ms", Some(300_000_000)),
            ("1us", Some(1_000)),
            ("1µs", Some(1_000)),
            ("1μs", Some(1_000)),
            ("5ns", Some(5)),
            ("1.5m", Some(90_000_000_000)),
            ("2m30ms", Some(120_030_000_000)),
            ("-1s", Some(-1_000_000_000)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("1d", None),
            ("1s ", None),
        ] {
            assert_eq!(go_duration(text), nanos, "{text}");
        }
    }

    #[test]
    fn times_have_zones_and_lost_pluses() {
        let noon = Some(Timestamp(1_767_268_800_000_000_001));
        for text in ["2026-01-01T12:00:00.000000001Z", "2026-01-01T14:00:00.000000001 02:00"] {
            assert_eq!(rfc3339(text), noon, "{text}");
        }
        assert_eq!(rfc3339("2026-01-01T04:00:00.000000001-08:00"), noon);
        assert_eq!(rfc3339("2026-01-01"), None);
        assert_eq!(rfc3339("0001-01-01T00:00:00Z"), Some(Timestamp(i64::MIN)));
        assert_eq!(rfc3339("9999-12-31T23:59:59.999999999Z"), Some(Timestamp(i64::MAX)));
    }

    #[test]
    fn of_several_spellings_the_first_counts_and_maps_have_entries() {
        let params = Params::new(Some("a_b=1&aB=2&aB=3&empty=&m%5Bk%5D=v&m[k.2]=&m=x&mm[k]=w"));
        assert_eq!(params.named(&["aB", "a_b"]), Some(("aB", "2")));
        assert_eq!(params.named(&["a_b", "aB"]), Some(("a_b", "1")));
        assert_eq!((params.get(&["empty"]), params.get(&["none"])), (None, None));
        assert_eq!(params.entries("m").collect::<Vec<_>>(), [("k", "v"), ("k.2", "")]);
    }

    #[test]
    fn attributes_are_an_object_of_scalars() {
        let found = attributes(r#"{"a":"b","n":5,"t":true}"#).expect("an object");
        let texts: Vec<_> = found.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(texts, ["a=b", "n=5", "t=true"]);
        assert!(attributes("[1]").is_err() && attributes(r#"{"a":{}}"#).is_err() && attributes("{").is_err());
    }
}
