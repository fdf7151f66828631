//! Logs cut and damaged at every place: what is sound comes back, in order, once, and the next start finds nothing more
//! to report.

use super::*;
use crate::log::record::encode_segment_header;
use epicenter_schema::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

const SALT: Salt = Salt(0x5a17);

fn payload(sequence: u64) -> Vec<u8> {
    // Now and then with the magic of a record within.
    let mut payload = format!("payload {sequence} EPIr ").into_bytes();
    payload.resize(20 + (sequence as usize * 37) % 150, sequence as u8);
    payload
}

/// A segment file's bytes, and where each record ends.
fn segment(first: u64, count: u64) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = encode_segment_header(first).to_vec();
    let mut ends = Vec::new();
    for sequence in first..first + count {
        let payload = payload(sequence);
        bytes.extend(Record::new(sequence, Timestamp(sequence as i64), &payload).encode(SALT));
        bytes.extend(payload);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// What is recovered from the folder: sequences, the next one, and what was reported torn and damaged.
fn recovered(dir: &Path, sealed_through: u64) -> (Vec<u64>, u64, u64, u64) {
    let counters = Counters::default();
    let mut sequences = Vec::new();
    let found = recover(dir, sealed_through, &counters, |record, bytes| {
        assert_eq!(bytes, payload(record.sequence));
        sequences.push(record.sequence);
    })
    .expect("opens");
    (
        sequences,
        found.next,
        counters.log_torn.get(),
        counters.log_damaged.get(),
    )
}

#[test]
fn a_log_torn_at_any_byte_keeps_every_whole_record() {
    let (bytes, ends) = segment(1, 4);
    for cut in 0..=bytes.len() {
        let dir = TempDir::new().expect("a folder");
        std::fs::write(dir.path().join(file_name(1, SALT)), &bytes[..cut]).expect("writes");
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
        let torn = u64::from(cut > SEGMENT_HEADER_BYTES && !ends.contains(&cut));
        assert_eq!(
            recovered(dir.path(), 0),
            ((1..=whole).collect(), whole + 1, torn, 0),
            "cut at {cut}"
        );
        assert_eq!(recovered(dir.path(), 0), ((1..=whole).collect(), whole + 1, 0, 0));
    }
}

#[test]
fn a_later_file_outranks_what_could_not_be_cut_off() {
    let dir = TempDir::new().expect("a folder");
    std::fs::write(dir.path().join(file_name(1, SALT)), segment(1, 6).0).expect("writes");
    std::fs::write(dir.path().join(file_name(4, SALT)), segment(4, 2).0).expect("writes");
    assert_eq!(recovered(dir.path(), 0), ((1..=5).collect(), 6, 0, 0));
    assert_eq!(recovered(dir.path(), 4), (vec![5], 6, 0, 0));
    assert_eq!(recovered(dir.path(), 9), (vec![], 6, 0, 0));
}

/// Scenario: a sender puts bytes into a span that look like a record to come; later the disk damages that very record.
/// Guarantees: they are not taken for a record, so what follows is not taken for something older and passed over.
#[test]
fn what_a_sender_wrote_is_no_record() {
    let dir = TempDir::new().expect("a folder");
    let mut bytes = encode_segment_header(1).to_vec();
    for sequence in 1..=3 {
        // Right but for the salt, which is in no answer and on no wire.
        let mut payload = Record::new(900, Timestamp(5), b"forged").encode(Salt::NONE).to_vec();
        payload.extend_from_slice(b"forged");
        payload.resize(64 * RECORD_HEADER_BYTES, 0);
        bytes.extend(Record::new(sequence, Timestamp(5), &payload).encode(SALT));
        bytes.extend(payload);
    }
    // The header of the first record is gone.
    bytes[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + 4].fill(0);
    std::fs::write(dir.path().join(file_name(1, SALT)), &bytes).expect("writes");
    let mut sequences = Vec::new();
    recover(dir.path(), 0, &Counters::default(), |record, _| {
        sequences.push(record.sequence)
    })
    .expect("opens");
    assert_eq!(sequences, [2, 3]);
}

#[test]
fn a_file_that_begins_like_another_and_holds_nothing_is_removed() {
    let dir = TempDir::new().expect("a folder");
    std::fs::write(dir.path().join(file_name(1, SALT)), segment(1, 2).0).expect("writes");
    std::fs::write(dir.path().join(file_name(3, SALT)), segment(3, 2).0).expect("writes");
    for salt in [Salt(1), Salt(u32::MAX)] {
        std::fs::write(dir.path().join(file_name(3, salt)), encode_segment_header(3)).expect("writes");
    }
    assert_eq!(recovered(dir.path(), 0), ((1..=4).collect(), 5, 0, 0));
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 2);
}

#[test]
fn files_of_other_names_are_left_alone() {
    let dir = TempDir::new().expect("a folder");
    std::fs::write(dir.path().join("notes.txt"), "mine").expect("writes");
    for name in [
        "1.log",
        "00000000000000000001-abc.log",
        "00000000000000000001-0000000g.log",
    ] {
        std::fs::write(dir.path().join(name), "mine").expect("writes");
    }
    assert_eq!(recovered(dir.path(), 0), (vec![], 1, 0, 0));
    assert!(dir.path().join("notes.txt").exists() && dir.path().join("1.log").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_costs_the_records_it_hits_and_no_others(
        at in 0usize..2_000, length in 1usize..300, value: u8, other_file: bool,
    ) {
        let (mut bytes, ends) = segment(1, 12);
        let at = SEGMENT_HEADER_BYTES + at % (bytes.len() - SEGMENT_HEADER_BYTES);
        let end = (at + length).min(bytes.len());
        let original = bytes.clone();
        bytes[at..end].fill(value);
        let dir = TempDir::new().expect("a folder");
        std::fs::write(dir.path().join(file_name(1, SALT)), &bytes).expect("writes");
        let mut expected: Vec<u64> = Vec::new();
        let mut start = SEGMENT_HEADER_BYTES;
        for (sequence, end) in (1..).zip(&ends) {
            if bytes[start..*end] == original[start..*end] {
                expected.push(sequence);
            }
            start = *end;
        }
        if other_file {
            std::fs::write(dir.path().join(file_name(13, SALT)), segment(13, 1).0).expect("writes");
            expected.push(13);
        }
        let (found, next, torn, damaged) = recovered(dir.path(), 0);
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(next, expected.last().map_or(1, |last| last + 1));
        let hit = expected.len() < 12 + usize::from(other_file);
        prop_assert_eq!(torn + damaged, u64::from(hit));
        prop_assert!(torn == 0 || !expected.contains(&12));
    }
}

/// A file that cannot be read may be sound: it stays where it is, and nothing is built on its absence.
#[test]
fn a_file_that_cannot_be_read_is_not_given_up() {
    let dir = TempDir::new().expect("a folder");
    std::fs::write(dir.path().join(file_name(1, SALT)), segment(1, 2).0).expect("writes");
    // A folder opens like a file and cannot be read like one.
    let unreadable = dir.path().join(file_name(3, SALT));
    std::fs::create_dir(&unreadable).expect("a folder");
    let refused = recover(dir.path(), 0, &Counters::default(), |_, _| {}).expect_err("not opened");
    assert!(refused.to_string().contains(&file_name(3, SALT)), "{refused}");
    assert!(unreadable.exists() && dir.path().join(file_name(1, SALT)).exists());
}
