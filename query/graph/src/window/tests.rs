//! What happens at the limits does not depend on how a hash map lies in memory.

use super::*;

/// A window in which a service has so many instances, by number of the name.
fn window(instances: std::ops::Range<u32>) -> Window {
    let mut window = Window::default();
    let stats = DimensionStats {
        spans: 1,
        ..DimensionStats::default()
    };
    for number in instances {
        window.add_dimension(key(number), &stats);
    }
    window
}

fn key(number: u32) -> DimensionKey {
    DimensionKey {
        service: NameId(7),
        dimension: Dimension::Instance,
        value: NameId(number),
    }
}

#[test]
fn the_first_values_stay_where_there_is_no_room_for_all() {
    let mut sum = window(0..VALUES_MAX - 100);
    sum.merge(&window(10_000..11_000));
    assert_eq!((sum.dimensions.len(), sum.overflowed), (VALUES_MAX as usize, 900));
    let stays = (10_000..11_000).filter(|number| sum.dimensions.contains_key(&key(*number)));
    assert!(stays.eq(10_000..10_100));
}

#[test]
fn the_first_keys_stay_where_there_is_no_room_for_all() {
    let flow = |number: usize| FlowKey {
        service: NameId(number as u32),
        queue: NameId(0),
        direction: Direction::Publish,
    };
    let (mut sum, mut more) = (Window::default(), Window::default());
    sum.flows = (0..KEYS_MAX - 100)
        .map(|number| (flow(number), FlowStats::default()))
        .collect();
    more.flows = (KEYS_MAX..KEYS_MAX + 300)
        .map(|number| (flow(number), FlowStats::default()))
        .collect();
    sum.merge(&more);
    assert_eq!((sum.flows.len(), sum.overflowed), (KEYS_MAX, 200));
    assert!((KEYS_MAX..KEYS_MAX + 100).all(|number| sum.flows.contains_key(&flow(number))));
}
