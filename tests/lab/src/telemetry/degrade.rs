//! Less than all spans, as real systems send them: head sampling, services without instrumentation, clocks that are off,
//! spans that say less (`bare`).
//! What happens in the system is the same with and without.

use super::bare::Bare;
use crate::sim::{Tracing, World};
use anyhow::{Result, ensure};

/// Trace ids are random in their last 56 bits.
const RANDOM_BITS: u32 = 56;

/// What is left out or spoiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Degrade {
    /// One trace in so many is kept; 0 and 1 keep all.
    pub(crate) keep_one_in: u64,
    /// Share of services that send nothing.
    pub(crate) untraced: f64,
    /// Clocks of machines are off by up to this, in nanoseconds, either way.
    pub(crate) clock_skew: u64,
    /// What spans do not say.
    pub(crate) bare: Bare,
}

impl Degrade {
    /// # Errors
    /// A value out of its range.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.keep_one_in <= 1 << 20, "--keep: at most one in {}", 1 << 20);
        ensure!((0.0..=0.9).contains(&self.untraced), "--untraced: 0 to 0.9");
        Ok(())
    }

    /// The rejection threshold: a trace is kept when the random bits of its id are not below it.
    ///
    /// Source: OpenTelemetry specification, "TraceState: Probability Sampling": threshold T = (1 - p) 2^56.
    fn threshold(&self) -> u64 {
        let all = 1_u64 << RANDOM_BITS;
        all - all / self.keep_one_in.max(1)
    }

    pub(super) fn keeps(&self, trace: u128) -> bool {
        let random = (trace as u64) & ((1 << RANDOM_BITS) - 1);
        random >= self.threshold()
    }

    /// What the sampler writes into every span's trace state: the threshold in hexadecimal digits, zeros at the end left out.
    pub(super) fn trace_state(&self) -> String {
        if self.keep_one_in <= 1 {
            return String::new();
        }
        let digits = format!("{:014x}", self.threshold());
        format!("ot=th:{}", digits.trim_end_matches('0'))
    }

    /// Takes the instrumentation out of some services that are no entry; every second of them also breaks the context.
    pub(crate) fn untrace(&self, world: &World, rng: &mut fastrand::Rng) {
        let wanted = (self.untraced * world.services.len() as f64).round() as usize;
        let mut services: Vec<usize> = (0..world.services.len())
            .filter(|service| world.system.services[*service].layer > 0)
            .collect();
        rng.shuffle(&mut services);
        for (index, service) in services.into_iter().take(wanted).enumerate() {
            let tracing = if index % 2 == 0 {
                Tracing::Passes
            } else {
                Tracing::Breaks
            };
            world.services[service].tracing.set(tracing);
        }
    }
}

/// How far the clock of each machine is off, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Skew(Vec<i64>);

impl Skew {
    pub(crate) fn draw(degrade: &Degrade, nodes: usize, rng: &mut fastrand::Rng) -> Self {
        let most = i64::try_from(degrade.clock_skew).unwrap_or(i64::MAX / 2);
        Self((0..nodes).map(|_| rng.i64(-most..=most)).collect())
    }

    pub(super) fn of(&self, node: usize) -> i64 {
        self.0.get(node).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_one_of_the_specification() {
        let degrade = |keep_one_in| Degrade {
            keep_one_in,
            ..Degrade::default()
        };
        assert_eq!(degrade(2).trace_state(), "ot=th:8");
        assert_eq!(degrade(16).trace_state(), "ot=th:f");
        assert_eq!(degrade(1).trace_state(), "");
        assert!(degrade(16).keeps(0x00f0_0000_0000_0000) && !degrade(16).keeps(0x00ef_ffff_ffff_ffff));
        // Only the last 56 bits count.
        assert!(!degrade(2).keeps(0xff7f_ffff_ffff_ffff));
        assert!(degrade(1).keeps(0));
        let mut rng = fastrand::Rng::with_seed(1);
        let kept = (0..16_000).filter(|_| degrade(16).keeps(rng.u128(..))).count();
        assert!((900..1100).contains(&kept), "{kept}");
    }
}
