//! Names that say nothing about what bears them.

use std::collections::BTreeSet;

const HEADS: [&str; 24] = [
    "b", "br", "c", "cl", "d", "dr", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "qu", "r", "s", "st", "t",
    "tr", "v", "z",
];
const VOWELS: [&str; 9] = ["a", "e", "i", "o", "u", "ai", "ou", "ea", "y"];
const TAILS: [&str; 10] = ["", "", "", "n", "r", "l", "s", "x", "th", "m"];

/// Draws names, each once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// A word of two or three syllables.
    pub(crate) fn word(&mut self, rng: &mut fastrand::Rng) -> String {
        loop {
            let mut word = String::new();
            for _ in 0..2 + usize::from(rng.f64() < 0.3) {
                word += HEADS[rng.usize(..HEADS.len())];
                word += VOWELS[rng.usize(..VOWELS.len())];
            }
            word += TAILS[rng.usize(..TAILS.len())];
            if self.taken.insert(word.clone()) {
                return word;
            }
        }
    }

    /// A word, or two with a dash between.
    pub(crate) fn service(&mut self, rng: &mut fastrand::Rng) -> String {
        let word = self.word(rng);
        if rng.f64() < 0.3 {
            format!("{word}-{}", self.word(rng))
        } else {
            word
        }
    }
}

/// A word with a capital letter.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// Lower-case letters and digits, as in the names of copies.
pub(crate) fn tail(rng: &mut fastrand::Rng, length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..length)
        .map(|_| char::from(LETTERS[rng.usize(..LETTERS.len())]))
        .collect()
}
