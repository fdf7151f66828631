//! Bytes of the log: the header of a segment file and the header of a record. See docs/formats/log.md.
//!
//! All integers are little-endian. Both headers are 32 bytes and end with a CRC-32C of what precedes it, so that a
//! length is never believed that was not written as such. The checksum of a record's header begins with the salt of its
//! file, which no sender knows: bytes that look like a record inside of a payload never pass for one.

use epicenter_schema::Timestamp;

/// First bytes of a segment file; the last two digits are the version of the format.
const SEGMENT_MAGIC: [u8; 8] = *b"EPILOG02";
/// Those of the version before, whose files have no salt.
const SEGMENT_MAGIC_UNSALTED: [u8; 8] = *b"EPILOG01";
/// First bytes of a record, searched for after damage.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"EPIr";
/// Length of the header of a segment file.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 32;
/// Length of the header of a record; the payload follows.
pub(crate) const RECORD_HEADER_BYTES: usize = 32;
/// Largest payload of a record.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// Where the checksums of a file's record headers begin. It stands in the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(pub(crate) u32);

impl Salt {
    /// Of files of version 1, and of their names.
    pub(crate) const NONE: Self = Self(0);
}

/// What the header of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Position in the log, from 1, without gaps.
    pub(crate) sequence: u64,
    /// When the record was written, wall clock.
    pub(crate) received: Timestamp,
    /// Bytes of payload.
    pub(crate) length: u32,
    /// CRC-32C of the payload.
    pub(crate) payload_crc: u32,
}

impl Record {
    /// The record of `payload`, which is at most [`PAYLOAD_BYTES_MAX`] long.
    pub(crate) fn new(sequence: u64, received: Timestamp, payload: &[u8]) -> Self {
        debug_assert!(payload.len() <= PAYLOAD_BYTES_MAX);
        Self {
            sequence,
            received,
            length: payload.len() as u32,
            payload_crc: crc32c::crc32c(payload),
        }
    }

    pub(crate) fn encode(&self, salt: Salt) -> [u8; RECORD_HEADER_BYTES] {
        let mut out = [0; RECORD_HEADER_BYTES];
        out[0..4].copy_from_slice(&RECORD_MAGIC);
        out[4..8].copy_from_slice(&self.length.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.received.0.to_le_bytes());
        out[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        seal(&mut out, salt);
        out
    }

    /// None when the bytes are not a header of a file with this salt.
    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER_BYTES], salt: Salt) -> Option<Self> {
        if bytes[0..4] != RECORD_MAGIC || !is_sealed(bytes, salt) {
            return None;
        }
        let record = Self {
            length: u32::from_le_bytes(field(bytes, 4)),
            sequence: u64::from_le_bytes(field(bytes, 8)),
            received: Timestamp(i64::from_le_bytes(field(bytes, 16))),
            payload_crc: u32::from_le_bytes(field(bytes, 24)),
        };
        (record.length as usize <= PAYLOAD_BYTES_MAX).then_some(record)
    }

    /// Bytes of header and payload.
    pub(crate) fn total_bytes(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.length)
    }
}

/// The header of a segment file whose first record has this sequence.
pub(crate) fn encode_segment_header(first_sequence: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut out = [0; SEGMENT_HEADER_BYTES];
    out[0..8].copy_from_slice(&SEGMENT_MAGIC);
    out[8..16].copy_from_slice(&first_sequence.to_le_bytes());
    seal(&mut out, Salt::NONE);
    out
}

/// The first sequence, or None when the bytes are not the header of a segment file.
pub(crate) fn decode_segment_header(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Option<u64> {
    let known = bytes[0..8] == SEGMENT_MAGIC || bytes[0..8] == SEGMENT_MAGIC_UNSALTED;
    (known && is_sealed(bytes, Salt::NONE)).then(|| u64::from_le_bytes(field(bytes, 8)))
}

fn seal(header: &mut [u8; 32], salt: Salt) {
    let crc = crc32c::crc32c_append(salt.0, &header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
}

fn is_sealed(header: &[u8; 32], salt: Salt) -> bool {
    crc32c::crc32c_append(salt.0, &header[..28]) == u32::from_le_bytes(field(header, 28))
}

fn field<const N: usize>(header: &[u8; 32], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("the header is long enough")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_no_flipped_bit_is_believed() {
        let record = Record::new(7, Timestamp(-3), b"payload");
        let salt = Salt(0x1234_5678);
        let bytes = record.encode(salt);
        assert_eq!(Record::decode(&bytes, salt), Some(record));
        for other in [Salt::NONE, Salt(1), Salt(!salt.0)] {
            assert_eq!(Record::decode(&bytes, other), None, "{other:?}");
        }
        let segment = encode_segment_header(u64::MAX);
        assert_eq!(decode_segment_header(&segment), Some(u64::MAX));
        for bit in 0..32 * 8 {
            let (mut r, mut s) = (bytes, segment);
            r[bit / 8] ^= 1 << (bit % 8);
            s[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                (Record::decode(&r, salt), decode_segment_header(&s)),
                (None, None),
                "bit {bit}"
            );
        }
    }
}
