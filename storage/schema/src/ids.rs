//! Trace and span identifiers: 16 and 8 raw bytes, lower-case hexadecimal as text.
//!
//! Source: W3C Trace Context, sections 3.2.2.3 and 3.2.2.4; OTLP/JSON prints them in hexadecimal, not base64.

use crate::Error;
use std::{fmt, str::FromStr};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// True when every byte is zero, which the specification calls invalid.
            pub fn is_zero(self) -> bool {
                self.0 == [0; $len]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Reads hexadecimal in either case, exactly `2 * LEN` digits.
            fn from_str(text: &str) -> Result<Self, Error> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| Error::Id { text: text.chars().take(80).collect(), bytes: $len })?;
                Ok(Self(bytes))
            }
        }
    };
}

id!(
    /// Identifies one trace: 16 bytes, all zero is invalid.
    TraceId,
    16
);
id!(
    /// Identifies one span within its trace: 8 bytes, all zero is invalid.
    SpanId,
    8
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_in_either_case_comes_back_lower() {
        let id: SpanId = "00FFabCD12345678".parse().expect("valid");
        assert_eq!(id.to_string(), "00ffabcd12345678");
        assert!("00ff".parse::<SpanId>().is_err());
        assert!("zz".repeat(16).parse::<TraceId>().is_err());
        assert!(TraceId::default().is_zero());
    }
}
