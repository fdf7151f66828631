//! Scalars of OTLP/JSON, each in every form that a sender may write.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use std::str::FromStr;

/// `null` and absence are the default.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText<'a, T> {
    Number(T),
    #[serde(borrow)]
    Text(std::borrow::Cow<'a, str>),
}

/// An integer as number or text.
pub(super) fn flexible<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err: Display> + Default,
{
    match Option::<NumberOrText<'de, T>>::deserialize(from)? {
        None => Ok(T::default()),
        Some(NumberOrText::Number(number)) => Ok(number),
        Some(NumberOrText::Text(text)) => text.parse().map_err(D::Error::custom),
    }
}

/// As [`flexible`], but absence is told apart.
pub(super) fn flexible_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Option::<NumberOrText<'de, i64>>::deserialize(from)? {
        None => Ok(None),
        Some(NumberOrText::Number(number)) => Ok(Some(number)),
        Some(NumberOrText::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// A double as number or text; Rust reads `NaN`, `Infinity` and `-Infinity` as ProtoJSON writes them.
pub(super) fn double_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    match Option::<NumberOrText<'de, f64>>::deserialize(from)? {
        None => Ok(None),
        Some(NumberOrText::Number(number)) => Ok(Some(number)),
        Some(NumberOrText::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// An identifier in hexadecimal. One of the wrong length is passed on, to be counted as such.
pub(super) fn hex_id<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let Some(text) = Option::<std::borrow::Cow<'de, str>>::deserialize(from)? else {
        return Ok(Vec::new());
    };
    hex::decode(text.as_bytes())
        .map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"an identifier in hexadecimal"))
}

/// Bytes in base64 of either alphabet, padded or not.
pub(super) fn base64_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    use base64::Engine;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    let standard: Vec<u8> = text
        .bytes()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        })
        .collect();
    ENGINE.decode(standard).map(Some).map_err(D::Error::custom)
}

fn named<'de, D: Deserializer<'de>>(from: D, names: &'static [&'static str]) -> Result<i32, D::Error> {
    match Option::<NumberOrText<'de, i32>>::deserialize(from)? {
        None => Ok(0),
        Some(NumberOrText::Number(number)) => Ok(number),
        Some(NumberOrText::Text(text)) => match names.iter().position(|name| *name == text) {
            Some(index) => i32::try_from(index).map_err(D::Error::custom),
            None => text.parse().map_err(|_| D::Error::unknown_variant(&text, names)),
        },
    }
}

pub(super) fn span_kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    const NAMES: &[&str] = &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    named(from, NAMES)
}

pub(super) fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    named(from, &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"])
}
