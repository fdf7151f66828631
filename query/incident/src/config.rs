//! What counts as an incident, and how long things are remembered.

use epicenter_schema::DurationNs;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Section `[incident]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Length of a window, the step in which everything is judged. 1 s to 1 min. Five seconds hold enough requests of
    /// a small system and are short against the time in which a person reacts.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// How long a system is watched before anything may be called wrong, and the length of the periods of which the
    /// baseline is made. 2 windows to 1 h. Default half a minute.
    #[serde(with = "humantime_serde")]
    pub warm_up: Duration,
    /// How long everything must be calm before an incident is over. 1 window to 1 h. Default 15 s.
    #[serde(with = "humantime_serde")]
    pub calm: Duration,
    /// When all open incidents are open for this long they are closed, and what they show is learned as the new rest; the
    /// same when nothing could be learned for this long though none is open. 1 min to 1 week.
    #[serde(with = "humantime_serde")]
    pub give_up: Duration,
    /// Surprise, in nats, at which an incident opens. 5 to 1000. 15 are odds of one in three million a look.
    pub surprise_nats: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(5),
            warm_up: Duration::from_secs(30),
            calm: Duration::from_secs(15),
            give_up: Duration::from_secs(3 * 3600),
            surprise_nats: 15.0,
        }
    }
}

/// A value out of its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} is {found}, expected {expected}")]
pub struct ConfigError {
    /// Which field.
    pub field: &'static str,
    /// Its value.
    pub found: String,
    /// What would be right.
    pub expected: &'static str,
}

const HOUR: Duration = Duration::from_secs(3600);

impl Config {
    /// Checks every field and how they fit together.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field, found: Duration, expected| {
            Err(ConfigError {
                field,
                found: humantime_serde::re::humantime::format_duration(found).to_string(),
                expected,
            })
        };
        if self.window < Duration::from_secs(1) || self.window > Duration::from_secs(60) {
            return wrong("window", self.window, "1s to 1min");
        }
        if self.warm_up < 2 * self.window || self.warm_up > HOUR {
            return wrong("warm_up", self.warm_up, "2 windows to 1h");
        }
        if self.calm < self.window || self.calm > HOUR {
            return wrong("calm", self.calm, "1 window to 1h");
        }
        if self.give_up < Duration::from_secs(60) || self.give_up > 7 * 24 * HOUR {
            return wrong("give_up", self.give_up, "1min to 1week");
        }
        if !(5.0..=1000.0).contains(&self.surprise_nats) {
            let found = self.surprise_nats.to_string();
            return Err(ConfigError {
                field: "surprise_nats",
                found,
                expected: "5 to 1000",
            });
        }
        Ok(())
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> DurationNs {
    DurationNs(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
