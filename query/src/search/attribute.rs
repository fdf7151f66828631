//! A condition on an attribute, as text: a key, an operator and a value without blanks between them.
//!
//! `key=value`, `key!=value`, `key<5`, `key<=5`, `key>5`, `key>=5`, `key=~regex`, `key!~regex`, or `key` alone, which asks
//! that it be there. The first operator in the text counts; keys that contain one cannot be asked for.

use crate::http::params::Problem;
use epicenter_storage::{Attribute, Operator, Scope, Test};

/// The operators; of those that begin alike the longer one comes first.
const OPERATORS: [(&str, Operator); 8] = [
    ("=~", Operator::Matches),
    ("!~", Operator::MatchesNot),
    ("!=", Operator::Differs),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equals),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// Reads the value of parameter `name`.
pub(super) fn parse(name: &str, scope: Scope, text: &str) -> Result<Attribute, Problem> {
    let expected = "key=value, or key with one of != < <= > >= =~ !~ and a value, or a key alone";
    let first = text.char_indices().find_map(|(at, _)| {
        OPERATORS
            .iter()
            .find_map(|(sign, operator)| text[at..].starts_with(sign).then_some((at, *sign, *operator)))
    });
    let (key, operator, value) = match first {
        Some((at, sign, operator)) => (&text[..at], operator, &text[at + sign.len()..]),
        None => (text, Operator::Exists, ""),
    };
    if key.is_empty() {
        return Err(Problem::parameter(name, text, expected));
    }
    let test = Test::new(operator, value);
    let test = test.map_err(|error| Problem::parameter(name, text, &format!("{expected}; {error}")))?;
    Ok(Attribute {
        scope,
        key: key.to_owned(),
        test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Operator), &str>) {
        match (parse("attribute", Scope::Any, text), expected) {
            (Ok(found), Ok((key, operator))) => {
                assert_eq!((found.key.as_str(), found.test.operator()), (key, operator), "{text}");
            }
            (Err(problem), Err(words)) => assert!(problem.message.contains(words), "{text}: {}", problem.message),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_first_operator_counts() {
        check("a.b=c=d", Ok(("a.b", Operator::Equals)));
        check("a=", Ok(("a", Operator::Equals)));
        check("a!=b", Ok(("a", Operator::Differs)));
        check("a>=5", Ok(("a", Operator::AtLeast)));
        check("a<-0.5", Ok(("a", Operator::Less)));
        check("a=~^x|y$", Ok(("a", Operator::Matches)));
        check("ü!~.", Ok(("ü", Operator::MatchesNot)));
        check("a", Ok(("a", Operator::Exists)));
        check("=x", Err("key=value"));
        check("a>b", Err("is not a number"));
        check("a=~(", Err("unclosed group"));
    }
}
