//! Entries that cannot be written.

use fred::interfaces::{KeysInterface, StreamsInterface};
use parlance_broker::ingest::StreamKind;
use parlance_domain::version::{Heads, Seq, Version};
use parlance_worker::dead_letter::{self, DeadLetter, Retried};

use crate::{
    entries::{TestEntry, message, message_in, receipt, unstorable},
    world::World,
};

async fn parked(world: &World) -> Vec<DeadLetter> {
    dead_letter::list(&world.store, 0, 100).await.unwrap()
}

fn heads(n: u64) -> Option<Heads> {
    Some(Heads { version: Version::new(1, n), seq: Seq(n) })
}

#[tokio::test]
async fn a_bad_entry_is_parked_and_its_neighbours_are_stored() {
    let world = World::new().await;
    let entries: Vec<_> =
        (1..=30).map(|n| if n == 17 { unstorable("c1", n) } else { message("c1", n) }).collect();
    world.append_all(&entries).await;
    let worker = world.start(&[]).await;
    world.drained().await;

    let seqs = world.seqs("c1").await;
    assert_eq!(seqs.len(), 29);
    assert!(!seqs.contains(&17));
    let letters = parked(&world).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(letter.conversation, b"c1");
    assert_eq!(letter.header, entries[16].header.as_bytes());
    assert_eq!(letter.body, entries[16].body);
    assert_eq!(letter.sqlstate.as_deref(), Some("22021"), "{}", letter.reason);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_parked_entry_raises_the_heads_all_the_same() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append_all(&[message("c1", 1), unstorable("c1", 2)]).await;
    let mut unknown = message("c2", 7);
    unknown.header = unknown.header.replace("message.created", "message.translated");
    world.append(&unknown).await;
    world.drained().await;
    assert_eq!(world.heads("c1").await, heads(2));
    assert_eq!(world.heads("c2").await, heads(7), "its number was given out, whatever it means");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_cannot_be_decoded_is_parked() {
    let world = World::new().await;
    let of = |stream, conversation: &str, header: &str, body: &[u8]| TestEntry {
        stream,
        conversation: conversation.to_owned(),
        header: header.to_owned(),
        body: body.to_vec(),
    };
    let ingest = StreamKind::Ingest;
    let good = message("c1", 1);
    let misplaced = receipt("c1", "anna", 1, 1, 0);
    let bad = [
        of(ingest, "c1", "", b""),
        of(ingest, "c1", &good.header, b"{"),
        of(ingest, "c1", &good.header, b"\xff\xfe"),
        of(ingest, "", &good.header, &good.body),
        of(ingest, &"x".repeat(300), &good.header, &good.body),
        of(ingest, "c1", "message.created 1 0 0 5 -", &good.body),
        of(ingest, "c1", &format!("message.created 1 {} 1 5 -", u64::MAX), &good.body),
        of(ingest, "c1", &misplaced.header, &misplaced.body),
        of(StreamKind::Receipts, "c1", &good.header, &good.body),
        of(
            StreamKind::Receipts,
            "c1",
            &misplaced.header,
            format!("[{{\"u\":\"a\",\"d\":{}}}]", u64::MAX).as_bytes(),
        ),
    ];
    world.append_all(&bad).await;
    // One that has none of the fields.
    let key = world.broker.keys().ingest(world.partition("c1"));
    let _: String =
        world.broker.client().xadd(key, false, None::<()>, "*", vec![("other", "x")]).await.unwrap();
    world.append(&message("c1", 2)).await;

    let worker = world.start(&[]).await;
    world.drained().await;
    let letters = parked(&world).await;
    assert_eq!(letters.len(), bad.len() + 1, "{letters:#?}");
    assert!(letters.iter().all(|letter| letter.sqlstate.is_none() && !letter.reason.is_empty()));
    assert_eq!(world.seqs("c1").await, [2]);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn an_entry_that_was_parked_twice_is_one_dead_letter() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    let id = world.append(&unstorable("c1", 1)).await;
    world.drained().await;
    // As after a crash between parking and acknowledging.
    forget_stream(&world).await;
    world.append_as(&unstorable("c1", 1), &id).await;
    world.drained().await;
    assert_eq!(parked(&world).await.len(), 1);
    // The same id with another content is another entry.
    forget_stream(&world).await;
    world.append_as(&unstorable("c1", 2), &id).await;
    world.drained().await;
    assert_eq!(parked(&world).await.len(), 2);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_retried_dead_letter_is_written_unless_it_is_still_bad() {
    let world = World::new().await;
    world.sql("ALTER TABLE messages ADD CHECK (content <> 'forbidden')").await;
    let worker = world.start(&[]).await;
    for entry in [message_in("c1", Version::new(1, 1), 1, "forbidden"), unstorable("c1", 2)] {
        world.append(&entry).await;
        world.drained().await;
    }
    let [one, two] = parked(&world).await.try_into().unwrap();

    let refused = dead_letter::retry(&world.store, one.id).await.unwrap();
    assert!(matches!(refused, Retried::Refused(_)), "{refused:?}");
    world.sql("ALTER TABLE messages DROP CONSTRAINT messages_content_check").await;
    assert_eq!(dead_letter::retry(&world.store, one.id).await.unwrap(), Retried::Written);
    assert_eq!(dead_letter::retry(&world.store, one.id).await.unwrap(), Retried::Missing);
    assert!(matches!(dead_letter::retry(&world.store, two.id).await.unwrap(), Retried::Refused(_)));
    assert_eq!(world.seqs("c1").await, [1]);

    assert!(dead_letter::delete(&world.store, two.id).await.unwrap());
    assert!(!dead_letter::delete(&world.store, two.id).await.unwrap());
    assert_eq!(dead_letter::count(&world.store).await.unwrap(), 0);
    worker.stop().await;
    world.clean_up().await;
}

/// As when Redis lost the stream and its mark.
async fn forget_stream(world: &World) {
    let (keys, partition) = (world.broker.keys(), world.partition("c1"));
    let lost = vec![keys.ingest(partition), keys.persisted(partition)];
    let _: u64 = world.broker.client().del(lost).await.unwrap();
}
