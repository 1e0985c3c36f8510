//! Cursors have a stream and a bound of their own.

use parlance_broker::{
    append::Bounds,
    receipts::{ReceiptLog, Receipted},
    subscriber::{Incoming, Subscriber},
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    receipt::Receipts,
    time::Timestamp,
};

use crate::world::{DEADLINE, World, answering, bytes_of, conversation, now, size};

const BODY: &str = r#"[{"u":"ann","d":7,"r":5,"o":"session-1"}]"#;

fn header() -> Header {
    Header::transient(EventKind::Receipts, Timestamp(1_700_000_000_000), None)
}

fn log(world: &World, entries: u64, bytes: u64) -> ReceiptLog {
    ReceiptLog::new(world.broker.clone(), Bounds { entries, bytes })
}

#[tokio::test]
async fn moved_cursors_are_in_their_stream_and_announced() {
    let world = World::new().await;
    let id = conversation("c");
    let partition = world.broker.keys().partitions().of(id.as_str());
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    subscriber.subscribe(&id).await.unwrap();
    let header = header();
    assert_eq!(log(&world, 10, 10_000).push(&id, &header, BODY).await.unwrap(), Receipted::Now);

    let rows = world.stream(world.broker.keys().receipts(partition)).await;
    let [(_, row)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&*row["c"], &*row["h"], &*row["b"]), ("c", &*header.to_string(), BODY));
    let counted = size(&world.hash(world.broker.keys().receipts_size(partition)).await);
    assert_eq!(counted, (1, bytes_of(&rows, &["c", "h", "b"])));

    let incoming = tokio::time::timeout(DEADLINE, inbox.next()).await.expect("announced");
    let Incoming::Published { conversation, payload, .. } = incoming else { panic!("{incoming:?}") };
    let envelope = Envelope::decode_published(conversation, &payload).unwrap();
    let Event::Receipts(Receipts { cursors, .. }) = envelope.event else { panic!("{envelope:?}") };
    assert_eq!((cursors[0].delivered.0, cursors[0].read.0), (7, 5));
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn cursors_take_no_place_in_the_order() {
    let world = World::new().await;
    let id = conversation("c");
    now(world.append(&world.message(&id, "1")).await);
    let before = world.broker.state(&id).await.unwrap();
    log(&world, 10, 10_000).push(&id, &header(), BODY).await.unwrap();
    assert_eq!(world.broker.state(&id).await.unwrap(), before);
    assert_eq!(world.hot_log(&id).await.len(), 1);
    world.clean_up().await;
}

#[tokio::test]
async fn beyond_either_bound_cursors_are_refused_nothing_is_written_and_messages_go_on() {
    let world = World::new().await;
    let id = conversation("c");
    let per_entry = (id.as_str().len() + header().to_string().len() + BODY.len()) as u64;
    for (entries, bytes) in [(3, 1_000_000), (1_000, 3 * per_entry + 10)] {
        let log = log(&world, entries, bytes);
        for _ in 0..3 {
            assert_eq!(log.push(&id, &header(), BODY).await.unwrap(), Receipted::Now);
        }
        let before = world.snapshot().await;
        assert_eq!(log.push(&id, &header(), BODY).await.unwrap(), Receipted::Overloaded);
        assert_eq!(world.snapshot().await, before);
        // The bound of messages is another one, and not used up.
        let appender = world.appender_within(10, 10_000);
        let floors = answering(parlance_broker::append::Floors::default());
        now(appender.append(&world.message(&id, &bytes.to_string()), floors).await.unwrap());
        let keys = world.broker.keys();
        let partition = keys.partitions().of(id.as_str());
        world.delete(keys.receipts(partition)).await;
        world.delete(keys.receipts_size(partition)).await;
    }
    world.clean_up().await;
}
