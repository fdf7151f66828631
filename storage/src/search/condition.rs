//! What a span is asked for.

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Something that a span has to meet.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Its service has this name.
    Service(String),
    /// It has this name.
    Operation(String),
    /// It failed, or did not, see [`epicenter_schema::name::ERROR`].
    Error(bool),
    /// It took at least so many nanoseconds.
    DurationMin(i64),
    /// It took at most so many nanoseconds.
    DurationMax(i64),
    /// Its kind has this OTLP number.
    Kind(i32),
    /// It has such an attribute.
    Attribute(Attribute),
}

/// An attribute that is asked for.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Where it stands.
    pub scope: Scope,
    /// Its key.
    pub key: String,
    /// What its value has to meet.
    pub test: Test,
}

/// Where on a span an attribute stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Anywhere.
    #[default]
    Any,
    /// On the span itself.
    Span,
    /// On its resource.
    Resource,
    /// On its instrumentation scope.
    InstrumentationScope,
    /// On one of its events.
    Event,
    /// On one of its links.
    Link,
}

impl Scope {
    pub(super) fn has(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Whatever it is.
    Exists,
    /// It reads like the text.
    Equals,
    /// It reads otherwise.
    Differs,
    /// It is a smaller number.
    Less,
    /// It is a smaller number or the same.
    AtMost,
    /// It is a larger number.
    Greater,
    /// It is a larger number or the same.
    AtLeast,
    /// The regular expression is found in how it reads.
    Matches,
    /// The regular expression is not found in how it reads.
    MatchesNot,
}

/// A test of a value. Values are texts as they are, numbers and truth values by their usual form, bytes in hexadecimal,
/// lists as OTLP/JSON. A text that is a number is compared as one.
#[derive(Clone, Debug)]
pub struct Test {
    operator: Operator,
    text: String,
    int: Option<i64>,
    number: Option<f64>,
    regex: Option<Regex>,
}

/// Why there is no such test.
#[derive(Debug, thiserror::Error)]
pub enum WrongTest {
    /// An order is asked for of something that is no number.
    #[error("{0:?} is not a number")]
    Number(String),
    /// Not a regular expression, or too large a one.
    #[error("{0}")]
    Regex(#[from] regex::Error),
}

impl Test {
    /// A test against `text`.
    ///
    /// # Errors
    /// The operator asks for a number or a regular expression, and the text is none.
    pub fn new(operator: Operator, text: &str) -> Result<Self, WrongTest> {
        use Operator::{AtLeast, AtMost, Greater, Less, Matches, MatchesNot};
        let number = text.parse().ok();
        if matches!(operator, Less | AtMost | Greater | AtLeast) && number.is_none_or(f64::is_nan) {
            return Err(WrongTest::Number(text.to_owned()));
        }
        let regex = match operator {
            Matches | MatchesNot => Some(RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build()?),
            _ => None,
        };
        Ok(Self {
            operator,
            text: text.to_owned(),
            int: text.parse().ok(),
            number,
            regex,
        })
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The text that a value has to read like, if it has to.
    pub(super) fn equals(&self) -> Option<&str> {
        (self.operator == Operator::Equals).then_some(self.text.as_str())
    }

    pub(super) fn text(&self, value: &str) -> bool {
        match self.operator {
            Operator::Exists => true,
            Operator::Equals => value == self.text,
            Operator::Differs => value != self.text,
            Operator::Matches => self.is_found(value),
            Operator::MatchesNot => !self.is_found(value),
            _ => value.parse().is_ok_and(|value| self.compare(value)),
        }
    }

    pub(super) fn int(&self, value: i64) -> bool {
        let same = || self.int == Some(value) || (self.int.is_none() && self.number == Some(value as f64));
        match self.operator {
            Operator::Exists => true,
            Operator::Equals => same(),
            Operator::Differs => !same(),
            Operator::Matches => self.is_found(&value.to_string()),
            Operator::MatchesNot => !self.is_found(&value.to_string()),
            _ => self.compare(value as f64),
        }
    }

    pub(super) fn double(&self, value: f64) -> bool {
        let same = || self.number == Some(value) || (value.is_nan() && self.number.is_some_and(f64::is_nan));
        match self.operator {
            Operator::Exists => true,
            Operator::Equals => same(),
            Operator::Differs => !same(),
            Operator::Matches => self.is_found(&value.to_string()),
            Operator::MatchesNot => !self.is_found(&value.to_string()),
            _ => self.compare(value),
        }
    }

    pub(super) fn bool(&self, value: bool) -> bool {
        self.text(if value { "true" } else { "false" })
    }

    pub(super) fn bytes(&self, value: &[u8]) -> bool {
        self.text(&hex::encode(value))
    }

    fn compare(&self, value: f64) -> bool {
        let Some(number) = self.number else { return false };
        match self.operator {
            Operator::Less => value < number,
            Operator::AtMost => value <= number,
            Operator::Greater => value > number,
            Operator::AtLeast => value >= number,
            _ => false,
        }
    }

    fn is_found(&self, value: &str) -> bool {
        self.regex.as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_how_they_read() {
        use Operator::*;
        for (operator, text, texts, ints, doubles) in [
            (Equals, "503", "503", 503, 503.0),
            (Equals, "503.0", "503.0", 503, 503.0),
            (Less, "10", "9.5", 9, 9.99),
            (AtLeast, "-1e3", "-1000", -1000, f64::INFINITY),
            (Matches, "^5..$", "599", 500, 512.0),
            (Exists, "", "", i64::MIN, f64::NAN),
            (Differs, "1", "1.0", 2, f64::NAN),
            (MatchesNot, "1", "2", 33, 0.25),
        ] {
            let test = Test::new(operator, text).expect("a test");
            assert!(
                test.text(texts) && test.int(ints) && test.double(doubles),
                "{operator:?} {text}"
            );
        }
        for (operator, text, texts, ints, doubles) in [
            (Equals, "503", "503 ", 504, 503.5),
            (Greater, "10", "ten", 10, f64::NAN),
            (Matches, "^5..$", "5", 5, 51.25),
            (Differs, "7", "7", 7, 7.0),
        ] {
            let test = Test::new(operator, text).expect("a test");
            assert!(
                !test.text(texts) && !test.int(ints) && !test.double(doubles),
                "{operator:?} {text}"
            );
        }
        assert!(Test::new(Equals, "NaN").expect("a test").double(f64::NAN));
        assert!(Test::new(Equals, "true").expect("a test").bool(true));
        assert!(Test::new(Equals, "00ff").expect("a test").bytes(&[0, 255]));
        assert!(Test::new(Less, "x").is_err() && Test::new(Matches, "(").is_err());
    }
}
