//! Recordings, judged against recordings of the system at rest.

use super::*;

/// An engine that learned five minutes of a world at rest, at so many requests a second.
fn learned(world: &mut World, rate: u64) -> Engine {
    let mut engine = Engine::new(Config::default());
    for second in 0..300 {
        world
            .second(second, rate, 0)
            .iter()
            .for_each(|batch| engine.learn(batch));
    }
    engine
}

/// What happens in a second of another day.
fn observe(engine: &mut Engine, world: &mut World, second: i64, rate: u64) {
    let batches = world.second(second, rate, 0);
    batches.iter().for_each(|batch| engine.observe(batch));
}

/// Scenario: a recording at rest of another day, then a recording of a failure that is there from its start.
#[test]
fn a_recording_is_judged_against_a_recording() {
    let mut world = shop();
    let mut engine = learned(&mut world, 5);
    world.set(&[Fault::Errors("payment", 0.7)]);
    for second in 90_000..90_120 {
        observe(&mut engine, &mut world, second, 5);
    }
    engine.finish();
    assert_eq!(engine.incidents().len(), 1);
    assert_eq!(engine.incidents()[0].suspects[0].entity.name, "payment");
    assert_eq!(engine.incidents()[0].cause.kind, CauseKind::Errors);
    let explanation = &engine.incidents()[0].explanation;
    assert_eq!(names_of(&explanation.chain), ["gateway", "web", "checkout", "payment"]);
    assert!(explanation.exemplars.bad.is_some() && explanation.exemplars.good.is_some());
    assert!(
        engine.incidents()[0]
            .affected
            .iter()
            .any(|affected| affected.first_shaken.is_some())
    );
}

/// Scenario: a recorded failure that lasts for longer than windows are remembered.
/// Guarantees: it began at its start, and so did what it did to each service.
#[test]
fn a_long_recorded_failure_began_at_its_start() {
    const BEGIN_S: i64 = 90_000;
    let mut world = shop();
    let mut engine = learned(&mut world, 5);
    world.set(&[Fault::Dead("payment")]);
    for second in BEGIN_S..BEGIN_S + 3600 {
        observe(&mut engine, &mut world, second, 5);
        engine.advance(Timestamp(EPOCH_NS + (second - 60) * 1_000_000_000));
    }
    engine.finish();
    let begin = Timestamp(EPOCH_NS + BEGIN_S * 1_000_000_000);
    let near = begin..=begin + DurationNs::from_secs(10);
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert!(near.contains(&incident.started), "{:?}", incident.started);
    assert!(!incident.affected.is_empty());
    for affected in &incident.affected {
        assert!(
            affected.first_shaken.is_some_and(|at| near.contains(&at)),
            "{affected:?}"
        );
    }
}

/// Scenario: a job of the recording at rest does not run in the other recording, in which payment fails after a minute.
/// Guarantees: it began when payment failed. Load is not compared between recordings, nor is that somebody is not there.
#[test]
fn who_is_not_in_a_recording_does_not_date_its_failure() {
    const BEGIN_S: i64 = 90_000;
    let mut world = shop_and_batch();
    let mut engine = learned(&mut world, 20);
    let faults = [Fault::Dead("batch"), Fault::Errors("payment", 0.7)];
    for second in BEGIN_S..BEGIN_S + 120 {
        world.set(&faults[..if second < BEGIN_S + 60 { 1 } else { 2 }]);
        observe(&mut engine, &mut world, second, 20);
    }
    engine.finish();
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert_eq!(incident.suspects[0].entity.name, "payment");
    let began = Timestamp(EPOCH_NS + (BEGIN_S + 60) * 1_000_000_000);
    assert_eq!(incident.started, began);
}

/// The same without a failure.
#[test]
fn a_healthy_recording_is_healthy() {
    let mut world = shop();
    let mut engine = learned(&mut world, 5);
    for second in 90_000..90_120 {
        observe(&mut engine, &mut world, second, 5);
    }
    engine.finish();
    assert_eq!(engine.incidents(), &[]);
}
