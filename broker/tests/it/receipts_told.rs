//! Cursors that are told with the messages that they get past: exactly one of those who move them tells of each.

use fred::interfaces::HashesInterface;
use parlance_broker::{
    append::Bounds,
    receipts::{
        ReceiptLog,
        told::{MAX_TOLD, Position, Telling},
    },
    subscriber::{Incoming, Subscriber},
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::{MessageId, UserId},
    receipt::{Covered, Cursor, Reach, Reaches, ReceiptKind, Receipts},
    time::Timestamp,
    version::Seq,
};

use crate::world::{DEADLINE, ROOMY, World, bytes_of, conversation, now, size};

fn header() -> Header {
    Header::transient(EventKind::Receipts, Timestamp(1_700_000_000_000), None)
}

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

/// A cursor that somebody reads to a place, with where the caller knows it to have been.
fn read(id: &str, to: u64, from: u64) -> (Cursor, Position) {
    let mut cursor = Cursor::start(user(id));
    cursor.advance(ReceiptKind::Read, Seq(to), None);
    (cursor, Position { delivered: Seq(from), read: Seq(from) })
}

/// Messages 1 to 9, all of Ann.
fn messages() -> Vec<Covered> {
    let id = |n: u8| MessageId::new(1, [n; 8], 0);
    (1..=9).map(|n| Covered { id: id(n), seq: Seq(n.into()), sender: user("ann") }).collect()
}

fn reach(id: &str, first: u64, second: u64) -> Reach {
    Reach { user: Some(user(id)), first: Seq(first), second: Seq(second) }
}

struct Scene {
    world: World,
    log: ReceiptLog,
    messages: Vec<Covered>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let log = ReceiptLog::new(world.broker.clone(), ROOMY);
        Self { world, log, messages: messages() }
    }

    async fn tell_from(&self, cursors: &[(Cursor, Position)], reaches: &Reaches) -> Receipts {
        let telling = Telling { cursors, messages: &self.messages, reaches };
        self.log.tell(&conversation("c"), &header(), telling).await.unwrap().unwrap()
    }

    async fn tell(&self, cursors: &[(Cursor, Position)]) -> Receipts {
        self.tell_from(cursors, &Reaches::default()).await
    }
}

/// The places of the messages that a user newly reads.
fn newly(receipts: &Receipts, id: &str) -> Vec<u64> {
    let cursor = receipts.cursors.iter().find(|cursor| cursor.user == user(id)).unwrap();
    receipts.newly(cursor, ReceiptKind::Read, Seq(0)).map(|message| message.seq.0).collect()
}

/// The places of the messages that are read for the first time, and by whom.
fn first(receipts: &Receipts) -> Vec<(String, Vec<u64>)> {
    let of = |(cursor, messages): (&Cursor, Vec<&Covered>)| {
        (cursor.user.to_string(), messages.iter().map(|message| message.seq.0).collect())
    };
    receipts.first(ReceiptKind::Read).into_iter().map(of).collect()
}

#[tokio::test]
async fn what_is_told_is_in_the_stream_as_cursors_and_announced_with_its_messages() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let id = conversation("c");
    let partition = world.broker.keys().partitions().of(id.as_str());
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    subscriber.subscribe(&id).await.unwrap();
    let told = scene.tell(&[read("bob", 3, 0), read(r#"x "} y"#, 1, 0)]).await;

    let rows = world.stream(world.broker.keys().receipts(partition)).await;
    let [(_, row)] = &rows[..] else { panic!("{rows:?}") };
    let stored: Vec<Cursor> = serde_json::from_str(&row["b"]).unwrap();
    assert_eq!((&*row["c"], &*row["h"], &stored), ("c", &*header().to_string(), &told.cursors));
    assert_eq!((stored[0].read, stored[0].read_before), (Seq(3), Some(Seq(0))));
    let counted = size(&world.hash(world.broker.keys().receipts_size(partition)).await);
    assert_eq!(counted, (1, bytes_of(&rows, &["c", "h", "b"])));

    let incoming = tokio::time::timeout(DEADLINE, inbox.next()).await.expect("announced");
    let Incoming::Published { conversation, payload, .. } = incoming else { panic!("{incoming:?}") };
    let envelope = Envelope::decode_published(conversation, &payload).unwrap();
    assert_eq!(envelope.event, Event::Receipts(told.clone()));
    assert_eq!((newly(&told, "bob"), newly(&told, r#"x "} y"#)), (vec![1, 2, 3], vec![1]));
    subscriber.close().await;
    scene.world.clean_up().await;
}

#[tokio::test]
async fn of_all_who_move_cursors_over_a_message_exactly_one_tells_that_it_got_on() {
    let scene = Scene::new().await;
    let tasks = (0..8).map(|n| {
        let cursors = [read(&format!("u{n}"), 4, 0), read("bob", 2 + n % 3, 0)];
        let scene = &scene;
        async move { scene.tell(&cursors).await }
    });
    let told = futures_util::future::join_all(tasks).await;
    let mut got_on: Vec<u64> = told.iter().flat_map(first).flat_map(|(_, seqs)| seqs).collect();
    got_on.sort_unstable();
    assert_eq!(got_on, [1, 2, 3, 4]);
    let mut of_bob: Vec<u64> = told.iter().flat_map(|receipts| newly(receipts, "bob")).collect();
    of_bob.sort_unstable();
    assert_eq!(of_bob, [1, 2, 3, 4], "and of what somebody newly reads");
    scene.world.clean_up().await;
}

#[tokio::test]
async fn the_furthest_cursor_and_that_of_somebody_else_are_known_whoever_moves() {
    let scene = Scene::new().await;
    let id = conversation("c");
    for (who, to, first, second) in [
        ("ann", 5, ("ann", 5), 0),
        ("ann", 7, ("ann", 7), 0),
        ("bob", 3, ("ann", 7), 3),
        ("bob", 9, ("bob", 9), 7),
        ("carol", 8, ("bob", 9), 8),
        ("bob", 2, ("bob", 9), 8),
        ("dave", 9, ("bob", 9), 9),
    ] {
        scene.tell(&[read(who, to, 0)]).await;
        let noted = scene.world.broker.noted_cursors(&id, &[]).await.unwrap();
        assert_eq!(noted.reaches.unwrap().read, reach(first.0, first.1, second), "{who} to {to}");
    }
    scene.world.clean_up().await;
}

#[tokio::test]
async fn what_redis_has_forgotten_is_taken_from_the_caller_and_never_goes_back() {
    let scene = Scene::new().await;
    let (world, id) = (&scene.world, conversation("c"));
    let reaches = Reaches { delivered: reach("eve", 4, 1), read: reach("eve", 4, 1) };
    let told = scene.tell_from(&[read("bob", 6, 2)], &reaches).await;
    assert_eq!((newly(&told, "bob"), first(&told)), (vec![3, 4, 5, 6], vec![("bob".to_owned(), vec![5, 6])]));
    // What the caller says counts no more, as far as Redis knows better.
    let told = scene.tell_from(&[read("bob", 7, 0)], &Reaches::default()).await;
    assert_eq!((newly(&told, "bob"), first(&told)), (vec![7], vec![("bob".to_owned(), vec![7])]));
    let (bob, carol) = (user("bob"), user("carol"));
    let noted = world.broker.noted_cursors(&id, &[&carol, &bob]).await.unwrap();
    assert_eq!(noted.positions, [None, Some(Position { delivered: Seq(7), read: Seq(7) })]);
    assert_eq!(noted.reaches.unwrap().read, reach("bob", 7, 4));
    let key = world.broker.keys().cursors(&id);
    assert!((1..=3600).contains(&world.ttl(key.clone()).await));
    world.delete(key).await;
    let noted = world.broker.noted_cursors(&id, &[&bob]).await.unwrap();
    assert_eq!((noted.positions, noted.reaches), (vec![None], None));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn of_very_many_users_some_are_forgotten_but_not_how_far_anybody_is() {
    let scene = Scene::new().await;
    let (world, id) = (&scene.world, conversation("c"));
    let key = world.broker.keys().cursors(&id);
    scene.tell(&[read("early", 9, 0)]).await;
    for thousand in 0..11 {
        let fields: Vec<(String, String)> =
            (0..1_000).map(|n| (format!("u\"{thousand}-{n}\""), "1 1".to_owned())).collect();
        let _: () = world.broker.client().hset(key.clone(), fields).await.unwrap();
    }
    scene.tell(&[read("late", 3, 0)]).await;
    assert_eq!(world.hash(key).await.len(), 3);
    let noted = world.broker.noted_cursors(&id, &[&user("early"), &user("late")]).await.unwrap();
    assert_eq!(noted.positions, [None, Some(Position { delivered: Seq(3), read: Seq(3) })]);
    assert_eq!(noted.reaches.unwrap().read, reach("early", 9, 3));
    scene.world.clean_up().await;
}

#[tokio::test]
async fn as_many_cursors_at_once_as_there_may_be_are_told() {
    let scene = Scene::new().await;
    let cursors: Vec<_> = (0..MAX_TOLD).map(|n| read(&format!("u{n}"), 2, 0)).collect();
    assert_eq!(scene.tell(&cursors).await.cursors.len(), MAX_TOLD);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn beyond_either_bound_nothing_is_written_and_messages_go_on() {
    let scene = Scene::new().await;
    let (world, id) = (&scene.world, conversation("c"));
    scene.tell(&[read("bob", 1, 0)]).await;
    let before = world.snapshot().await;
    for (entries, bytes) in [(1, 1_000_000), (1_000, 80)] {
        let log = ReceiptLog::new(world.broker.clone(), Bounds { entries, bytes });
        let cursors = [read("bob", 5, 0)];
        let telling = Telling { cursors: &cursors, messages: &[], reaches: &Reaches::default() };
        assert_eq!(log.tell(&id, &header(), telling).await.unwrap(), None);
    }
    assert_eq!(world.snapshot().await, before);
    now(world.append(&world.message(&id, "1")).await);
    scene.world.clean_up().await;
}

#[tokio::test]
async fn the_log_tells_which_messages_there_are_beyond_a_place() {
    let scene = Scene::new().await;
    let (world, id) = (&scene.world, conversation("c"));
    for n in 0..70 {
        now(world.append(&world.message(&id, &n.to_string())).await);
        world.append(&world.participant(&id, n, EventKind::ParticipantAdded)).await;
    }
    let seqs = async |above| {
        let found = world.broker.log_messages_above(&id, Seq(above)).await.unwrap();
        assert!(found.iter().all(|message| message.sender == user("u")));
        found.iter().map(|message| message.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(seqs(67).await, [70, 69, 68]);
    assert_eq!(seqs(0).await, (1..=70).rev().collect::<Vec<_>>());
    assert_eq!(seqs(70).await, [0; 0]);
    scene.world.clean_up().await;
}
