//! Small numbers as Parquet's hybrid of runs and bit-packed groups, which levels and dictionary indices are written in.
//!
//! Source: Apache Parquet, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)".

/// Values of a bit-packed group.
const GROUP: usize = 8;

/// Bits that every number up to `max` fits into, at least one.
pub(super) fn bit_width(max: u32) -> u8 {
    (u32::BITS - max.leading_zeros()).max(1) as u8
}

/// Appends `len` numbers, each below two to the power of `width`, which is 1 to 32. Equal neighbours that fill a group
/// become a run.
pub(super) fn encode(len: usize, width: u8, value: impl Fn(usize) -> u32, out: &mut Vec<u8>) {
    let (mut packed_from, mut at) = (0, 0);
    while at < len {
        let first = value(at);
        let mut end = at + 1;
        while end < len && value(end) == first {
            end += 1;
        }
        // The packed values before a run have to fill their last group: with the first of the run.
        let fill = (GROUP - (at - packed_from) % GROUP) % GROUP;
        if end - at >= fill + GROUP {
            pack(packed_from..at + fill, width, &value, out);
            varint(((end - at - fill) as u64) << 1, out);
            out.extend_from_slice(&first.to_le_bytes()[..usize::from(width.div_ceil(8))]);
            packed_from = end;
        }
        at = end;
    }
    pack(packed_from..len, width, &value, out);
}

/// A bit-packed run; the last group is filled up with zeros.
fn pack(range: std::ops::Range<usize>, width: u8, value: &impl Fn(usize) -> u32, out: &mut Vec<u8>) {
    if range.is_empty() {
        return;
    }
    let groups = range.len().div_ceil(GROUP);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * usize::from(width);
    out.reserve(groups * usize::from(width) + size_of::<u32>());
    let (mut bits, mut filled) = (0u64, 0u8);
    for at in range {
        bits |= u64::from(value(at)) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            filled -= 32;
        }
    }
    out.extend_from_slice(&(bits as u32).to_le_bytes());
    out.resize(end, 0);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the numbers back, as the specification says.
    fn decode(mut bytes: &[u8], width: u8, len: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < len {
            let (mut header, mut shift) = (0u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let count = (header >> 1) as usize;
            if header & 1 == 0 {
                let size = usize::from(width.div_ceil(8));
                let mut value = [0; 4];
                value[..size].copy_from_slice(&bytes[..size]);
                bytes = &bytes[size..];
                values.extend(std::iter::repeat_n(u32::from_le_bytes(value), count));
            } else {
                let size = count * usize::from(width);
                let bit = |at: usize| bytes[at / 8] >> (at % 8) & 1;
                for at in 0..count * GROUP {
                    let bits = (0..usize::from(width)).map(|b| u32::from(bit(at * usize::from(width) + b)) << b);
                    values.push(bits.sum());
                }
                bytes = &bytes[size..];
            }
        }
        assert!(bytes.is_empty(), "nothing follows");
        values.truncate(len);
        values
    }

    fn check(values: &[u32]) -> usize {
        let width = bit_width(values.iter().copied().max().unwrap_or(0));
        let mut bytes = Vec::new();
        encode(values.len(), width, |at| values[at], &mut bytes);
        assert_eq!(decode(&bytes, width, values.len()), values);
        bytes.len()
    }

    #[test]
    fn a_run_takes_next_to_nothing_wherever_it_begins() {
        assert_eq!(check(&[]), 0);
        assert_eq!(check(&[0; 8_192]), 4);
        for before in 0..20 {
            let mut values: Vec<u32> = (0..before).map(|at| at % 3).collect();
            values.extend([2; 1_000]);
            values.push(1);
            assert!(check(&values) <= 2 * 8 + 8, "{before}");
        }
        check(&[u32::MAX, 0, 7]);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(width in 1u8..=32, runs in prop::collection::vec((any::<u32>(), 1usize..40), 0..60)) {
            let mask = u32::MAX >> (32 - width);
            let values: Vec<u32> = runs.iter().flat_map(|(v, n)| std::iter::repeat_n(v & mask, *n)).collect();
            check(&values);
            let mut bytes = Vec::new();
            encode(values.len(), width, |at| values[at], &mut bytes);
            prop_assert_eq!(decode(&bytes, width, values.len()), values);
        }
    }
}
