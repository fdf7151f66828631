//! Sketches against the values that they are made of.

use super::*;

#[test]
fn quantiles_are_within_two_percent() {
    let mut sketch = Sketch::default();
    for value in 1..=10_000 {
        sketch.add(value * 1000);
    }
    for q in [0.01, 0.5, 0.9, 0.99] {
        let expected = q * 10_000_000.0;
        let found = sketch.quantile(q);
        assert!(
            (found / expected - 1.0).abs() < 0.021,
            "{q}: {found} instead of {expected}"
        );
    }
}

#[test]
fn quantiles_are_those_of_the_sorted_values() {
    let mut sketch = Sketch::default();
    let mut values = Vec::new();
    for number in 0..60u64 {
        let value = 1000 + number * number * 977 % 50_000;
        sketch.add(value as i64);
        values.push(middle(bucket_of(value as i64)));
        values.sort_by(f64::total_cmp);
        let quantile = |q: f64| {
            let rank = q * (values.len() - 1) as f64;
            let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
            low + (high - low) * (rank - rank.floor())
        };
        for q in [0.0, 0.1, 0.3, 0.5, 0.51, 0.95, 0.99, 1.0] {
            assert_eq!(sketch.quantile(q), quantile(q), "{q} of {number}");
        }
        let typical = TYPICAL.iter().map(|q| quantile(*q)).sum::<f64>() / 6.0;
        assert_eq!(sketch.typical(), typical);
        let above = values.iter().filter(|value| **value > 20_000.0).count();
        assert_eq!(sketch.count_above(20_000.0), above as u64);
    }
}

#[test]
fn bytes_come_back_and_others_are_refused() {
    let mut sketch = Sketch::default();
    assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch.clone()));
    for value in [0, 1, 5, 1_000, 1_000_000, i64::MAX] {
        for _ in 0..=value.min(300) {
            sketch.add(value);
        }
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch.clone()), "{value}");
    }
    let bytes = sketch.to_bytes();
    assert_eq!(Sketch::from_bytes(&bytes), Some(sketch));
    for wrong in [
        &bytes[..bytes.len() - 1],
        &[1],
        &[0xff, 0xff, 0x7f, 1],
        &[5, 1, 0, 1],
        &[1, 1, 0xff, 0xff, 0x03, 1],
        &[5, 0],
    ] {
        assert_eq!(Sketch::from_bytes(wrong), None, "{wrong:?}");
    }
}

#[test]
fn merging_adds_counts_in_any_order() {
    let (mut a, mut b) = (Sketch::default(), Sketch::default());
    for value in 0..100 {
        a.add(value * 7);
        b.add(value * 131 + 5);
    }
    let (mut ab, mut ba) = (a.clone(), b.clone());
    ab.merge(&b);
    ba.merge(&a);
    assert_eq!(ab, ba);
    assert_eq!(ab.count(), 200);
}
