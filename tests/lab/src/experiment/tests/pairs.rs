//! Two faults at once: both relations can be shown, both faults overlap and are felt beside each other.

use super::*;
use crate::experiment::pair;

fn short_pair(seed: u64) -> Plan {
    Plan {
        healthy: Duration::from_secs(60),
        broken: Duration::from_secs(90),
        after: Duration::from_secs(10),
        ..Plan::pair_of(seed)
    }
}

fn play_pair(seed: u64) -> (Vec<u8>, serde_json::Value) {
    let folder = tempfile::tempdir().expect("a folder");
    pair::run(&short_pair(seed), folder.path()).expect("it runs");
    let spans = std::fs::read(folder.path().join(SPANS)).expect("spans");
    let truth = std::fs::read(folder.path().join(TRUTH)).expect("truth");
    (spans, serde_json::from_slice(&truth).expect("JSON"))
}

#[test]
fn both_faults_overlap_are_felt_and_have_culprits_of_their_own() {
    for seed in [0, 1, 2, 3, 4, 6] {
        let (_, truth) = play_pair(seed);
        let is_apart = truth["relation"] == "apart";
        assert_eq!(is_apart, seed / 2 % 2 == 0, "seed {seed}: {truth}");
        if !is_apart {
            assert!(truth["entries_in_common"].as_u64() > Some(0), "seed {seed}");
        }
        let fault = |at: usize| &truth["faults"][at];
        let time = |at: usize, key: &str| fault(at)[key].as_str().and_then(|text| text.parse::<u64>().ok());
        let (first, second) = (time(0, "fault_start_unix_nano"), time(1, "fault_start_unix_nano"));
        assert!(first.is_some() && first <= second && second < time(0, "fault_end_unix_nano"));
        for at in [0, 1] {
            assert!(
                fault(at)["shaken"].as_f64().is_some_and(|share| share >= 0.1),
                "{truth}"
            );
        }
        let names = |at: usize| {
            let culprits = fault(at)["culprits"].as_array().expect("a list");
            culprits
                .iter()
                .map(|one| one["name"].to_string())
                .collect::<BTreeSet<_>>()
        };
        assert!(!names(0).is_empty() && names(0).is_disjoint(&names(1)), "{truth}");
    }
}

#[test]
fn a_pair_of_the_same_seed_has_the_same_bytes() {
    assert!(play_pair(8) == play_pair(8));
}

#[test]
fn either_half_of_the_seeds_goes_through_all_kinds_with_either_relation() {
    for half in [0, 1] {
        let apart = (0..16).map(|turn| Plan::pair_of(half + 4 * turn).kind);
        let related = (0..17).map(|turn| Plan::pair_of(half + 2 + 4 * turn).kind);
        assert_eq!(apart.collect::<BTreeSet<_>>().len(), 16);
        assert_eq!(related.collect::<BTreeSet<_>>().len(), 17);
    }
}
