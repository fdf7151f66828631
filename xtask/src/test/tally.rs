//! Counts of passed and failed tests, read from the closing lines of the test runners.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Sums the lines `test result: ok. 3 passed; 0 failed; ...` that cargo prints, one a test program.
pub(crate) fn cargo(output: &str) -> Tally {
    let mut total = Tally::default();
    for line in output
        .lines()
        .filter(|line| line.trim_start().starts_with("test result:"))
    {
        total += Tally {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
        };
    }
    total
}

/// Reads the line `Tests  1 failed | 41 passed (42)` of vitest.
pub(crate) fn vitest(output: &str) -> Tally {
    let mut total = Tally::default();
    for line in output.lines().filter(|line| line.trim_start().starts_with("Tests ")) {
        total += Tally {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
        };
    }
    total
}

/// Reads the closing lines `8 passed (27.8s)` and `1 failed` of playwright.
pub(crate) fn playwright(output: &str) -> Tally {
    let mut total = Tally::default();
    for line in output
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
    {
        total += Tally {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
        };
    }
    total
}

/// The number that stands before `word`; 0 if there is none.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[1] == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_counts_every_test_program() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
                      test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.0s\n";
        assert_eq!(cargo(output), Tally { passed: 13, failed: 2 });
    }

    #[test]
    fn vitest_counts_tests_and_not_files() {
        let output = " Test Files  5 passed (5)\n      Tests  1 failed | 41 passed (42)\n";
        assert_eq!(vitest(output), Tally { passed: 41, failed: 1 });
        assert_eq!(vitest("      Tests  42 passed (42)\n"), Tally { passed: 42, failed: 0 });
    }

    #[test]
    fn playwright_counts_its_summary() {
        let output = "  ✓  1 [mock] › a.spec.ts:1:1 › two passed at once (3.1s)\n\n  1 failed\n    [mock] › b\n  8 passed (27.8s)\n";
        assert_eq!(playwright(output), Tally { passed: 8, failed: 1 });
    }

    #[test]
    fn other_text_counts_nothing() {
        assert_eq!(cargo("12 passed, 3 failed\n"), Tally::default());
    }
}
