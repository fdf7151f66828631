//! A position in the order of found traces, as text that means nothing to those who pass it back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use epicenter_schema::TraceId;

/// A key of order and the trace that has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Position {
    pub(crate) key: i64,
    pub(crate) trace: TraceId,
}

impl Position {
    pub(crate) fn encode(&self) -> String {
        let mut bytes = self.key.to_be_bytes().to_vec();
        bytes.extend(self.trace.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (key, trace) = bytes.split_at_checked(8)?;
        Some(Self {
            key: i64::from_be_bytes(key.try_into().ok()?),
            trace: TraceId(trace.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_and_garbage_is_refused() {
        let position = Position {
            key: -5,
            trace: TraceId([7; 16]),
        };
        assert_eq!(Position::decode(&position.encode()), Some(position));
        for text in ["", "x", "AAAA", "not base64!", &"A".repeat(40)] {
            assert_eq!(Position::decode(text), None, "{text}");
        }
    }
}
