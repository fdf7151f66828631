//! Recordings, judged against recordings of the system at rest.

use super::*;

/// Scenario: a recording at rest of another day, then a recording of a failure that is there from its start.
#[test]
fn a_recording_is_judged_against_a_recording() {
    let mut world = shop();
    let mut engine = Engine::new(Config::default());
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    world.set(&[Fault::Errors("payment", 0.7)]);
    for second in 90_000..90_120 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
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
    let (mut world, mut engine) = (shop(), Engine::new(Config::default()));
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    world.set(&[Fault::Dead("payment")]);
    for second in BEGIN_S..BEGIN_S + 3600 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
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
    let (mut world, mut engine) = (shop_and_batch(), Engine::new(Config::default()));
    for second in 0..300 {
        world.second(second, 20, 0).iter().for_each(|batch| engine.learn(batch));
    }
    let faults = [Fault::Dead("batch"), Fault::Errors("payment", 0.7)];
    for second in BEGIN_S..BEGIN_S + 120 {
        world.set(&faults[..if second < BEGIN_S + 60 { 1 } else { 2 }]);
        world
            .second(second, 20, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
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
    let mut engine = Engine::new(Config::default());
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    for second in 90_000..90_120 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
    }
    engine.finish();
    assert_eq!(engine.incidents(), &[]);
}
