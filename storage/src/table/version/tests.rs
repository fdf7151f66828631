//! What a commit writes, what is read back of it, and which changes are refused.

use super::*;
use crate::table::manifest;

fn segment(number: u64) -> Arc<Segment> {
    Arc::new(Segment::new(SegmentMeta {
        path: format!("segments/{number:020}-0123456789abcdef.parquet"),
        rows: 100_000,
        bytes: 10_000_000,
        start_min: 1_700_000_000_000_000_000,
        start_max: 1_700_000_000_000_000_001,
        received_min: 1_700_000_000_000_000_000,
        received_max: 1_700_000_000_000_000_001,
        first_sequence: number,
        last_sequence: number,
        traces: 20_000,
        duration_max: 1_000_000,
        services: Some((0..10).map(|service| format!("service-{service}")).collect()),
    }))
}

fn adding(numbers: impl IntoIterator<Item = u64>) -> Change {
    Change {
        add: numbers.into_iter().map(segment).collect(),
        ..Change::default()
    }
}

/// Commits a number of segments one by one; bytes put by each commit.
fn grow(commits: u64) -> (Version, Vec<usize>) {
    let mut version = Version::default();
    let mut sizes = Vec::new();
    for number in 1..=commits {
        let (next, prepared) = version.apply(&adding([number]), "w", number).expect("applies");
        let base = prepared.base.as_ref().map_or(0, |(_, bytes)| bytes.len());
        sizes.push(prepared.manifest.len() + base);
        version = next;
    }
    (version, sizes)
}

fn paths(version: &Version) -> Vec<&str> {
    version
        .segments
        .iter()
        .map(|segment| segment.meta.path.as_str())
        .collect()
}

#[test]
fn a_commit_grows_with_the_root_of_the_segments() {
    let (version, sizes) = grow(2_000);
    assert_eq!(version.segments.len(), 2_000);
    let whole: usize = sizes[1_999 - 199..].iter().sum();
    let mean = whole / 200;
    // The whole list would be 800 KB a commit.
    assert!(mean < 40_000, "{mean} bytes a commit at 2,000 segments");
}

#[tokio::test]
async fn what_is_read_back_is_what_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = Objects::local(folder.path()).expect("a store");
    let mut version = Version::default();
    for number in 1..=60 {
        let mut change = adding([number * 2, number * 2 + 1]);
        if number % 3 == 0 {
            change.add.clear();
            change.remove = version.segments.iter().step_by(11).cloned().collect();
        }
        change.progress.sealed_through = number;
        let (next, prepared) = version.apply(&change, "w", number).expect("applies");
        prepared.put_base(&objects).await.expect("put");
        for known in [&Version::default(), &version] {
            let path = manifest::path_of(number);
            let read = Manifest::decode(&path, &prepared.manifest, "w").expect("decodes");
            let read = Version::read(read, known, &objects).await.expect("reads");
            assert_eq!(paths(&read), paths(&next), "at {number}");
            assert_eq!(read.progress("w").sealed_through, number);
        }
        version = next;
    }
    assert!(version.base().is_some(), "otherwise half of it was not tested");
}

#[test]
fn replacing_needs_all_that_is_replaced() {
    let (version, _) = grow(3);
    let merge = Change {
        add: vec![segment(9)],
        remove: vec![segment(1), segment(2)],
        ..Change::default()
    };
    let (merged, _) = version.apply(&merge, "w", 4).expect("all are there");
    assert_eq!(merged.segments.len(), 2);
    let again = merged.apply(&merge, "other", 5).expect_err("they are gone");
    assert!(matches!(again, Error::Superseded), "{again}");
    let drop = Change {
        remove: vec![segment(1), segment(3)],
        ..Change::default()
    };
    let (dropped, _) = merged
        .apply(&drop, "w", 5)
        .expect("dropping what is gone is no failure");
    assert_eq!(paths(&dropped), paths(&merged)[1..]);
}

#[test]
fn the_writers_of_a_table_are_bounded() {
    let mut version = Version::default();
    for writer in 0..WRITERS_MAX {
        version.writers.insert(writer.to_string(), Progress::default());
    }
    version.apply(&adding([1]), "7", 1).expect("a known one");
    let refused = version.apply(&adding([1]), "new", 1).expect_err("one too many");
    assert!(matches!(refused, Error::TooManyWriters { .. }), "{refused}");
}

#[test]
fn the_first_format_is_still_read() {
    let body = "{\"format\":\"epicenter-table\",\"format_version\":1,\"schema_version\":1,\"version\":7,\"sealed_through\":42,\
                \"catalog\":\"catalog/00000000000000000007.jsonl\",\"segments\":[{\"path\":\"segments/1.parquet\",\"rows\":1,\"bytes\":2,\"start_min\":3,\"start_max\":4,\
                \"received_min\":5,\"received_max\":6,\"first_sequence\":1,\"last_sequence\":42,\"traces\":1}]}\n";
    let text = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
    let read = Manifest::decode(&manifest::path_of(7), text.as_bytes(), "me").expect("decodes");
    let mine = &read.writers["me"];
    assert_eq!((read.version, mine.sealed_through), (7, 42));
    assert_eq!(read.added.len(), 1);
    assert_eq!(mine.catalog.as_deref(), Some("catalog/00000000000000000007.jsonl"));
}
