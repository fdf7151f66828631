//! When nothing is heard.

use super::world::{EPOCH_NS, Fault};
use super::{LATENESS_S, REST_S, shop};
use crate::{CauseKind, Config, Engine};
use epicenter_schema::Timestamp;

/// Longer than the baseline remembers.
const QUIET_S: i64 = 9_000;

/// Scenario: nothing comes for hours, as at night or when the way to Epicenter is cut; when it comes again, cart is slow.
/// Guarantees: what was usual before is still known.
#[test]
fn silence_does_not_make_what_is_usual_forgotten() {
    let (mut world, mut engine) = (shop(), Engine::new(Config::default()));
    let back_s = REST_S + QUIET_S;
    for second in 0..back_s + 60 {
        if second >= back_s {
            world.set(&[Fault::Slow("cart", 200.0)]);
        }
        if !(REST_S..back_s).contains(&second) {
            world
                .second(second, 10, 0)
                .iter()
                .for_each(|batch| engine.observe(batch));
        }
        engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
    }
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert_eq!(incident.suspects[0].entity.name, "cart");
    assert_eq!(incident.cause.kind, CauseKind::Slow);
    assert!(incident.started >= Timestamp(EPOCH_NS + back_s * 1_000_000_000));
}
