//! Whether a segment of a path is an identifier, or has one in it, by its shape alone.
//!
//! A segment in which anything but ASCII letters, digits, `-`, `_` and `:` occurs is none: names of files (`app-3.2.1.js`),
//! of packages, templates (`{id}`, `*`) and versions (`1.2`) are told from identifiers by just that.

use std::ops::Range;

/// Digits beside a word (`order-12345`) that are an identifier. Fewer are mostly a numbering of things that people gave
/// (`operation-01`, `utf-16`), and make a hundred names at most, which the graph bears.
const LABELLED_DIGITS_MIN: usize = 3;
/// Letters of the word.
const LABEL_MAX: usize = 20;
/// Hexadecimal digits that are an identifier: a number of 32 bits.
const HEX_MIN: usize = 8;
/// Digits in a row that are an identifier whatever is around them. A year has four, a date eight.
const RUN_MIN: usize = 8;
/// Letters and digits of a token, such as a ULID or what base64 gives.
const TOKEN_MIN: usize = 16;
const TOKEN_DIGITS_MIN: usize = 4;
/// How often letters and digits take turns in a token without anything between them: `v1beta1` does so three times,
/// words and years with dashes between them never.
const TOKEN_TURNS_MIN: usize = 4;

/// What was counted in a segment.
#[derive(Default)]
struct Shape {
    digits: usize,
    letters: usize,
    colons: usize,
    /// Dashes, underscores and colons.
    separators: usize,
    /// Where the last of them stands.
    separator_at: usize,
    /// Most turns between two separators.
    turns: usize,
    /// From the first digit to the last of runs that are long enough.
    runs: Option<Range<usize>>,
}

impl Shape {
    /// None where a byte occurs that identifiers do not have.
    fn of(segment: &[u8]) -> Option<Self> {
        let mut shape = Self::default();
        let (mut run, mut turns) = (0, 0);
        let mut last = b'-';
        for (at, byte) in segment.iter().enumerate() {
            let is_digit = byte.is_ascii_digit();
            match byte {
                b'0'..=b'9' => shape.digits += 1,
                b'a'..=b'z' | b'A'..=b'Z' => shape.letters += 1,
                b'-' | b'_' => {}
                b':' => shape.colons += 1,
                _ => return None,
            }
            if !byte.is_ascii_alphanumeric() {
                shape.separators += 1;
                shape.separator_at = at;
                turns = 0;
            } else if last.is_ascii_alphanumeric() && last.is_ascii_digit() != is_digit {
                turns += 1;
                shape.turns = shape.turns.max(turns);
            }
            run = if is_digit { run + 1 } else { 0 };
            if run >= RUN_MIN {
                let begin = at + 1 - run;
                shape.runs = Some(shape.runs.map_or(begin, |runs| runs.start)..at + 1);
            }
            last = *byte;
        }
        Some(shape)
    }

    fn is_token(&self) -> bool {
        self.digits + self.letters >= TOKEN_MIN
            && self.digits >= TOKEN_DIGITS_MIN
            && self.turns >= TOKEN_TURNS_MIN
            && self.colons == 0
    }
}

/// Where in a segment an identifier lies; none where there is none. It is the whole segment unless digits stand beside a
/// word that tells what they number: `order-12345`, `INV20240115`.
pub(super) fn identifier(segment: &[u8]) -> Option<Range<usize>> {
    let count = |is: fn(&u8) -> bool| segment.iter().filter(|byte| is(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let whole = 0..segment.len();
    if digits == 0 {
        return None;
    }
    if digits == segment.len() {
        return Some(whole);
    }
    if digits < LABELLED_DIGITS_MIN && segment.len() < HEX_MIN {
        return None;
    }
    // Also every UUID: the version in it is a digit. It is looked for first, for it is what is long most often.
    let (hex, dashes) = (count(u8::is_ascii_hexdigit), count(|byte| *byte == b'-'));
    let is_hex = hex >= HEX_MIN && hex + dashes == segment.len();
    if is_hex && dashes != 1 {
        return Some(whole);
    }
    let shape = Shape::of(segment)?;
    if shape.separators == 1
        && let Some(digits) = labelled(segment, shape.separator_at)
    {
        return Some(digits);
    }
    if is_hex || shape.is_token() {
        return Some(whole);
    }
    shape.runs
}

/// The digits of a word and digits, in either order, with one separator between them.
fn labelled(segment: &[u8], separator_at: usize) -> Option<Range<usize>> {
    let (before, after) = (&segment[..separator_at], &segment[separator_at + 1..]);
    let is_label = |part: &[u8]| (1..=LABEL_MAX).contains(&part.len()) && part.iter().all(u8::is_ascii_alphabetic);
    let is_number = |part: &[u8]| part.len() >= LABELLED_DIGITS_MIN && part.iter().all(u8::is_ascii_digit);
    if is_label(before) && is_number(after) {
        Some(separator_at + 1..segment.len())
    } else if is_number(before) && is_label(after) {
        Some(0..separator_at)
    } else {
        None
    }
}
