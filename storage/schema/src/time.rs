//! Points in time and lengths of time, in nanoseconds, as types that do not mix.

/// Nanoseconds since 1970-01-01T00:00:00Z, as OTLP counts them, within the range of `i64` (until the year 2262).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A length of time in nanoseconds. Negative when a span's clock ran backwards.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationNs(pub i64);

impl DurationNs {
    /// Whole seconds as a length of time; saturates.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds as a length of time; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// As seconds, for rates and for printing.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl std::ops::Add<DurationNs> for Timestamp {
    type Output = Timestamp;

    fn add(self, rhs: DurationNs) -> Timestamp {
        Timestamp(self.0.saturating_add(rhs.0))
    }
}

impl std::ops::Sub<DurationNs> for Timestamp {
    type Output = Timestamp;

    fn sub(self, rhs: DurationNs) -> Timestamp {
        Timestamp(self.0.saturating_sub(rhs.0))
    }
}

impl std::ops::Sub for Timestamp {
    type Output = DurationNs;

    fn sub(self, rhs: Timestamp) -> DurationNs {
        DurationNs(self.0.saturating_sub(rhs.0))
    }
}
