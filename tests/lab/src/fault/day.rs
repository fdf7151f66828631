//! A whole day in which nothing is wrong: traffic follows the hours and grows a little, new versions are rolled out, copies are
//! killed and started again, a service appears.

use super::strike::{self, Campaign};
use super::{Fault, How, Kind};
use crate::sim::{SECOND, Traffic, World};
use crate::system::Protocol;
use std::cell::RefCell;
use std::f64::consts::TAU;
use std::rc::Rc;

/// How much traffic goes up and down, and how much it has grown by the end.
const SWING: f64 = 0.7;
const GROWTH: f64 = 0.15;
/// Between two changes.
const PAUSE_S: f64 = 2400.0;
/// Changes of one day at most.
const CHANGES_MAX: usize = 1000;

/// Lets a day pass in a world. The day is as long as the campaign.
pub(super) fn live(fault: &Fault, when: Campaign, world: &Rc<World>, traffic: &Rc<Traffic>) {
    let length = when.over as f64;
    *traffic.rhythm.borrow_mut() = Box::new(move |at| {
        let part = at as f64 / length;
        (1.0 - SWING * (TAU * part).cos() * 0.5) * (1.0 + GROWTH * part)
    });
    traffic.rhythm_max.set((1.0 + SWING * 0.5) * (1.0 + GROWTH));
    world.services[fault.service].exists.set(false);
    let (own, fault) = (Rc::clone(world), fault.clone());
    world.clock.spawn(async move {
        own.clock.sleep_until(when.begin).await;
        own.services[fault.service].exists.set(true);
        for number in 0..CHANGES_MAX {
            let pause = PAUSE_S * (0.5 + own.random(fastrand::Rng::f64));
            own.clock.sleep((pause * SECOND as f64) as u64).await;
            let service = own.random(|rng| rng.usize(..own.services.len()));
            let pods = own.pods(service);
            if pods.is_empty() || own.system.services[service].protocol == Protocol::Messages {
                continue;
            }
            if number % 3 == 0 && pods.len() > 1 {
                own.kill(&pods[0]);
                strike::restart(&own, Rc::clone(&pods[0]));
            } else {
                let deploy = Fault {
                    kind: Kind::HealthyDeploy,
                    service,
                    pods: pods.len(),
                    version: format!("{}-{number}", own.system.services[service].version),
                    how: How::Gone,
                    ..fault.clone()
                };
                strike::roll_out(&deploy, &own, &Rc::new(RefCell::default()));
            }
        }
    });
}
