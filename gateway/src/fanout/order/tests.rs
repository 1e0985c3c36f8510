use parlance_domain::{
    entry::Header,
    event::{Event, EventKind, Typing},
    id::{ConversationId, UserId},
    time::Timestamp,
    user::Profile,
};
use proptest::prelude::*;

use super::*;

/// An event of which only the numbers matter here.
fn event(epoch: u64, rev: u64) -> Envelope {
    let user = Profile::unknown(UserId::new("u").unwrap());
    Envelope {
        conversation: ConversationId::new("c").unwrap(),
        header: Header {
            kind: EventKind::MessageCreated,
            version: Version::new(epoch, rev),
            seq: Seq(rev),
            at: Timestamp(0),
            origin: None,
            trace: None,
        },
        event: Event::TypingStarted(Typing { user, expires_in_ms: None }),
    }
}

fn heads(epoch: u64, rev: u64) -> Heads {
    Heads { version: Version::new(epoch, rev), seq: Seq(rev) }
}

fn revs(events: &[Envelope]) -> Vec<u64> {
    events.iter().map(|event| event.header.version.rev).collect()
}

#[test]
fn the_next_event_is_handed_on_and_a_repetition_is_not() {
    let mut order = Order::at(heads(1, 4));
    assert_eq!(order.arrive(event(1, 5), 1), Arrival::Next(event(1, 5)));
    assert_eq!(order.arrive(event(1, 5), 1), Arrival::Repetition);
    assert_eq!(order.heads(), heads(1, 5));
}

#[test]
fn a_gap_waits_for_its_repair_and_then_closes_in_order() {
    let mut order = Order::at(heads(1, 4));
    assert_eq!(order.arrive(event(1, 7), 1), Arrival::Parked { first: true });
    assert_eq!(order.arrive(event(1, 8), 1), Arrival::Parked { first: false });
    let repaired = order.repair(Repair::Events(vec![event(1, 5), event(1, 6)]));
    assert_eq!(revs(&repaired.deliver), [5, 6, 7, 8]);
    assert!(repaired.again && order.is_parked(), "only a reading that finds nothing more closes the gap");
    assert!(!order.repair(Repair::CaughtUp).again);
    assert!(!order.is_parked());
}

#[test]
fn a_new_epoch_is_never_taken_on_trust() {
    let mut order = Order::at(heads(1, 4));
    assert_eq!(order.arrive(event(2, 5), 1), Arrival::Parked { first: true });
    let repaired = order.repair(Repair::NewEpoch(2));
    assert_eq!(revs(&repaired.deliver), [5]);
    assert!(!repaired.resync);
}

#[test]
fn what_redis_lost_makes_everybody_read_again() {
    let mut order = Order::at(heads(1, 12));
    assert_eq!(order.arrive(event(2, 11), 1), Arrival::Parked { first: true });
    let repaired = order.repair(Repair::Resync(heads(2, 11)));
    assert!(repaired.resync && repaired.deliver.is_empty());
    assert_eq!(order.heads(), heads(2, 11));
}

#[test]
fn holes_below_a_state_are_closed() {
    let mut order = Order::at(heads(1, 4));
    order.park();
    let found = Repair::State { events: vec![event(1, 6), event(1, 9)], heads: heads(1, 10) };
    assert_eq!(revs(&order.repair(found).deliver), [6, 9]);
    assert_eq!(order.arrive(event(1, 10), 1), Arrival::Repetition);
}

#[test]
fn what_waits_is_bounded_and_read_again_when_it_was_too_much() {
    let mut order = Order::at(heads(1, 0));
    for rev in 2..1_000 {
        order.arrive(event(1, rev), 10_000);
    }
    let held = order.parked.as_ref().map(|parked| parked.events.len());
    assert!(held.is_some_and(|held| held <= MAX_PARKED));
    let repaired = order.repair(Repair::Events(vec![event(1, 1)]));
    assert!(repaired.again);
}

/// Plays a conversation of `head` events to an order: publications are lost, repeated and reordered, repairs read
/// pages of whatever is stored by then.
fn play(head: u64, arrivals: &[u64], page: usize) -> Vec<u64> {
    let mut order = Order::at(heads(1, 0));
    let mut seen = Vec::new();
    let mut stored = 0;
    let read_all = |order: &mut Order, stored: u64, seen: &mut Vec<u64>| {
        while order.is_parked() {
            let from = order.heads().version.rev;
            let events: Vec<_> = (from + 1..=stored).take(page).map(|rev| event(1, rev)).collect();
            let found = if events.is_empty() { Repair::CaughtUp } else { Repair::Events(events) };
            seen.extend(revs(&order.repair(found).deliver));
        }
    };
    for &rev in arrivals {
        stored = stored.max(rev);
        if let Arrival::Next(event) = order.arrive(event(1, rev), 1) {
            seen.push(event.header.version.rev);
        }
        if rev % 3 == 0 {
            read_all(&mut order, stored, &mut seen);
        }
    }
    order.park();
    read_all(&mut order, head, &mut seen);
    seen
}

proptest! {
    #[test]
    fn everything_is_handed_on_once_and_in_order(
        head in 1u64..60,
        arrivals in prop::collection::vec(1u64..60, 0..200),
        page in 1usize..20,
    ) {
        let arrivals: Vec<u64> = arrivals.into_iter().filter(|rev| *rev <= head).collect();
        prop_assert_eq!(play(head, &arrivals, page), (1..=head).collect::<Vec<_>>());
    }
}
