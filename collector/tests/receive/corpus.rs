//! The corpus of the fuzzer, run through what the fuzzer checks.

#[path = "../../../fuzz/agree.rs"]
mod agree;

use std::path::{Path, PathBuf};

#[test]
fn the_corpus_reads_as_prost_reads_it() {
    // Asked when the test runs: a target folder may be shared by several clones.
    let crate_dir: PathBuf = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it").into();
    let corpus = crate_dir.join("../fuzz/corpus/decode");
    let mut files = 0;
    for file in std::fs::read_dir(&corpus).expect("a corpus") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("reads");
        agree::agree(&bytes);
        // And every beginning of it, and every byte of it turned over.
        for cut in 0..bytes.len() {
            agree::agree(&bytes[..cut]);
        }
        let mut turned = bytes.clone();
        for at in 0..bytes.len() {
            turned[at] ^= 0xff;
            agree::agree(&turned);
            turned[at] = bytes[at];
        }
        files += 1;
    }
    assert!(files >= 8, "{files} files in {}", Path::display(&corpus));
}
