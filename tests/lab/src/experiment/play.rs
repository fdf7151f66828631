//! Runs a system that one or more faults hit: on a short trial of which nothing is written, or in full, its spans going to a
//! file, and tells what was true of each fault.

use super::{Plan, SPANS};
use crate::fault::truth::{self, EntryPoint, Known, Truth};
use crate::fault::{self, Campaign, Fault, Kind};
use crate::felt::Felt;
use crate::sim::{Answer, SECOND, Traffic, World};
use crate::system::System;
use crate::telemetry::{Skew, SpanFile};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// A fault and its times.
#[derive(Debug)]
pub(super) struct Blow {
    pub(super) fault: Fault,
    pub(super) when: Campaign,
    /// What is known of it only when it has happened.
    known: Rc<RefCell<Known>>,
}

impl Blow {
    pub(super) fn new(fault: Fault, when: Campaign) -> Self {
        Self {
            fault,
            when,
            known: Rc::default(),
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) answers: Vec<Answer>,
    pub(super) spans: u64,
    seconds: u64,
}

/// What visitors got when these faults hit, until a time. Nothing is written.
pub(super) fn trial(system: &System, blows: &[&Blow], over: u64, draws: u64) -> Vec<Answer> {
    let world = World::new(system.clone(), draws);
    let traffic = Traffic::new(system.entries.len());
    traffic.open(&world);
    for blow in blows {
        fault::strike(&blow.fault, blow.when, &world, &traffic);
    }
    world.clock.run_until(over);
    let answers = traffic.answers.take();
    world.clock.end();
    answers
}

/// The whole run.
pub(super) fn play(
    plan: &Plan,
    system: &System,
    blows: &[Blow],
    over: u64,
    draws: u64,
    folder: &Path,
) -> Result<Played> {
    let degrade = plan.degrade();
    let world = World::new(system.clone(), draws);
    // How it is written is drawn apart from what happens.
    let mut rng = fastrand::Rng::with_seed(draws ^ 0x0b5e_12fe);
    degrade.untrace(&world, &mut rng);
    degrade.bare.untrace_calls(&world);
    let skew = Skew::draw(&degrade, system.nodes.len(), &mut rng);
    let file = SpanFile::create(&folder.join(SPANS), plan.epoch_ns(), &degrade, skew)?;
    let file = Rc::new(RefCell::new(file));
    let out = Rc::clone(&file);
    *world.sink.borrow_mut() = Some(Box::new(move |system, pod, records| {
        out.borrow_mut().take(system, pod, records);
    }));
    let traffic = Traffic::new(system.entries.len());
    traffic.open(&world);
    for blow in blows {
        fault::strike(&blow.fault, blow.when, &world, &traffic);
    }
    for blow in blows {
        remember(blow, &world);
    }
    world.clock.run_until(over);
    world.export_all();
    let answers = traffic.answers.take();
    world.sink.borrow_mut().take();
    world.clock.end();
    let file = Rc::into_inner(file).context("the file is still in use")?.into_inner();
    Ok(Played {
        answers,
        spans: file.finish()?,
        seconds: over / SECOND,
    })
}

/// Which copy is hit, and whether a store still answers, is known when it happens.
fn remember(blow: &Blow, world: &Rc<World>) {
    let (own, fault, when, known) = (Rc::clone(world), blow.fault.clone(), blow.when, Rc::clone(&blow.known));
    world.clock.spawn(async move {
        own.clock.sleep_until(when.begin).await;
        if fault.kind == Kind::BadPod {
            known.borrow_mut().bad_pod = own.pods(fault.service).first().map(|pod| pod.name.clone());
        }
        let Some(store) = own.stores.get(fault.store) else {
            return;
        };
        let before = (store.asked.get(), store.answered.get());
        own.clock.sleep_until(when.end).await;
        let asked = (store.asked.get() - before.0).max(1);
        known.borrow_mut().answered = Some((store.answered.get() - before.1) as f64 / asked as f64);
    });
}

impl Played {
    /// The truth of one fault of it.
    pub(super) fn tell(&self, plan: &Plan, system: &System, blow: &Blow, felt: &Felt) -> Truth {
        let (fault, when, known) = (&blow.fault, blow.when, blow.known.borrow());
        let clock = |at: u64| (plan.epoch_ns() + at).to_string();
        let entry_points = system.entries.iter().map(|entry| EntryPoint {
            service: system.services[system.ops[entry.op].service].name.clone(),
            operation: system.ops[entry.op].name.clone(),
        });
        Truth {
            seed: plan.seed,
            fault: fault.kind.name(),
            harmless: fault.kind.is_harmless(),
            culprits: truth::culprits(fault, system, &known),
            causes: truth::causes(fault, &known),
            dimension: truth::dimension(fault, system, &known),
            severity: truth::severity(fault),
            fault_start_unix_nano: clock(when.begin),
            fault_end_unix_nano: clock(when.end),
            first_shaken_unix_nano: felt.first.filter(|_| !fault.kind.is_harmless()).map(clock),
            shaken: (felt.worst * 1000.0).round() / 1000.0,
            entry_points: entry_points.collect(),
            services: system.services.len(),
            spans: self.spans,
            seconds: self.seconds,
        }
    }
}
