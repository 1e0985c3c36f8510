//! Every key has an end: a time to live, or the owner that the table in `keys.rs` names.

use std::collections::BTreeMap;

use parlance_broker::{
    append::{Acl, Append},
    idempotency::Claimed,
    ingest::{Acknowledger, Consumer, Persisted, Settler, StreamKind},
    lease::Leases,
    members::{Changes, Members},
    presence::Presences,
    receipts::{
        ReceiptLog,
        told::{Position, Telling},
    },
    stats::{GatewayStats, Stats},
};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::ConversationId,
    presence::Status,
    receipt::{Cursor, Reaches},
    time::Timestamp,
    user::Profile,
    version::{Seq, Version},
};
use std::time::Duration;

use crate::{
    lease::{LONG, announce, expire, held, sweep},
    presence::{session, user},
    world::{ROOMY, World, answering, conversation, now, stored},
};

/// The table, as a reader of `keys.rs` finds it.
const TABLE: &str = include_str!("../../src/keys.rs");

/// What keeps a key without a time to live from staying for ever.
#[derive(Debug, PartialEq)]
enum Owner {
    /// The worker deletes it, or what is in it, or there is one a partition.
    Worker,
    /// There is one, for good.
    Layout,
    /// As long as the conversation is a member of `unsettled`.
    Unsettled,
    /// As long as the message's ingest entry is there.
    IngestEntry,
    /// Until somebody goes, or his gateway's lease expires and a worker removes what stands under it.
    Lease,
}

/// The kinds of keys that may be without a time to live; all others must have one.
const OWNERS: &[(&str, &str, Owner)] = &[
    ("ingest", "`{tag}:ingest`", Owner::Worker),
    ("ingest-size", "`{tag}:ingest-size`", Owner::Worker),
    ("receipts", "`{tag}:receipts`", Owner::Worker),
    ("receipts-size", "`{tag}:receipts-size`", Owner::Worker),
    ("persisted", "`{tag}:persisted`", Owner::Worker),
    ("unsettled", "`{tag}:unsettled`", Owner::Worker),
    ("layout", "`layout`", Owner::Layout),
    ("conv", "`{tag}:conv:<id>`", Owner::Unsettled),
    ("log", "`{tag}:log:<id>`", Owner::Unsettled),
    ("obj", "`{tag}:obj:<message or call id>`", Owner::IngestEntry),
    ("leases", "`{tag}:leases`", Owner::Lease),
    ("lease", "`{tag}:lease:<lease>`", Owner::Lease),
    ("presence", "`{tag}:presence:<user>`", Owner::Lease),
    ("visits", "`{tag}:visits:<user>`", Owner::Lease),
    ("presence-out", "`{tag}:presence-out`", Owner::Lease),
    ("online", "`{tag}:online`", Owner::Lease),
    ("hidden", "`{tag}:hidden`", Owner::Lease),
    ("last-seen", "`{tag}:last-seen`", Owner::Worker),
    ("members", "`{tag}:members:<id>`", Owner::Lease),
    ("rooms", "`{tag}:rooms`", Owner::Lease),
    ("gateways", "`{tag}:gateways`", Owner::Lease),
];

/// Kinds that always have a time to live.
const EXPIRING: &[(&str, &str)] = &[
    ("once", "`{tag}:once:…`"),
    ("cursors", "`{tag}:cursors:<id>`"),
    ("replica-mark", "`{tag}:replica-mark`"),
    ("idempotency", "`{tag}:idempotency:<hash>`"),
    ("sweep", "`{tag}:sweep`"),
    ("revoked", "`{tag}:revoked:<user>`"),
];

/// Leaves every kind of key behind, in every state that the appending side knows.
async fn leave_keys(world: &World) -> Vec<(ConversationId, Append)> {
    world.broker.check_layout().await.unwrap();
    let mut appends = Vec::new();
    for name in ["c2", "c3", "x}:{y"] {
        let id = conversation(name);
        for client_id in ["1", "2", "2"] {
            let append = world.message(&id, client_id);
            world.append(&append).await;
            appends.push((id.clone(), append));
        }
        let added = world.participant(&id, 1, EventKind::ParticipantAdded);
        world.append(&added).await;
        appends.push((id.clone(), added));
        let header = Header::transient(EventKind::Receipts, Timestamp(1), None);
        let receipts = ReceiptLog::new(world.broker.clone(), ROOMY);
        receipts.push(&id, &header, r#"[{"u":"a","d":1,"r":1}]"#).await.unwrap();
        let cursors = [(Cursor { read: Seq(1), ..Cursor::start(user("a")) }, Position::default())];
        let telling = Telling { cursors: &cursors, messages: &[], reaches: &Reaches::default() };
        receipts.tell(&id, &header, telling).await.unwrap().unwrap();
    }
    for (name, answered) in [("running", false), ("answered", true)] {
        let claimed = world.broker.claim(name, "mark", "token", Duration::from_secs(60)).await.unwrap();
        let Claimed::Now(claim) = claimed else { panic!("{name} was claimed before") };
        if answered {
            assert!(world.broker.keep_answer(&claim, "answer", Duration::from_secs(60)).await.unwrap());
        }
    }
    leave_people(world).await;
    world.broker.load_state(&conversation("joined"), stored(1, 5, 5)).await.unwrap();
    let mut refused = world.message(&conversation("refused"), "1");
    refused.acl = Some(Acl(Version::new(1, 2)));
    world.append_from(&refused, stored(1, 5, 5)).await;
    let overloaded = world.message(&conversation("overloaded"), "1");
    world.appender_within(0, 0).append(&overloaded, answering(stored(1, 5, 5))).await.unwrap();
    appends
}

/// A gateway with a user who is seen and one who hides, both in a conversation; it dies before that is announced.
async fn leave_people(world: &World) {
    let leases = Leases::new(world.broker.clone());
    let (presences, members) = (Presences::new(world.broker.clone()), Members::new(world.broker.clone()));
    let (lease, id) = (held(&leases, "g1").await, conversation("room"));
    for (name, status) in [("ann", Status::Away), ("bob", Status::Offline)] {
        let user = user(name);
        presences.connect(&lease, &user, &session("s1", 1)).await.unwrap().unwrap();
        let changes = Changes { came: vec![Profile::unknown(user.clone())], ..Changes::default() };
        members.change(&lease, &id, &changes, 200).await.unwrap();
        presences.visit(&user, &session("s1", 1).id, &id).await.unwrap().unwrap();
        presences.set_status(&user, status).await.unwrap().unwrap();
    }
    Stats::new(world.broker.clone()).report(&lease, &GatewayStats::default()).await.unwrap();
    expire(&leases, &lease).await;
    for partition in world.broker.keys().partitions().all() {
        leases.expired(partition, LONG).await.unwrap();
    }
}

/// The kind of a key, and what stands behind it.
fn kind<'a>(world: &World, key: &'a str) -> (&'a str, &'a str) {
    let name = key.strip_prefix(&*world.prefix).unwrap();
    let name = name.split_once("}:").map_or(name, |(_, name)| name);
    name.split_once(':').unwrap_or((name, ""))
}

/// Every key without a time to live, with its owner; panics for one that has none.
async fn owned(world: &World) -> BTreeMap<String, &'static Owner> {
    let mut owned = BTreeMap::new();
    for key in world.keys().await {
        let (kind, _) = kind(world, &key);
        if world.ttl(key.clone()).await != -1 {
            assert!(
                OWNERS
                    .iter()
                    .map(|(name, ..)| name)
                    .chain(EXPIRING.iter().map(|(name, _)| name))
                    .any(|name| *name == kind),
                "{key} is not in the table"
            );
            continue;
        }
        let owner = OWNERS.iter().find(|(name, ..)| *name == kind);
        let (.., owner) = owner.unwrap_or_else(|| panic!("{key} has no end and no owner"));
        owned.insert(key, owner);
    }
    owned
}

#[test]
fn the_table_names_every_kind_of_key() {
    let rows: Vec<_> = TABLE.lines().filter(|line| line.starts_with("//! | `")).collect();
    let named = OWNERS.iter().map(|(_, name, _)| name).chain(EXPIRING.iter().map(|(_, name)| name));
    for name in named {
        assert!(rows.iter().any(|row| row.contains(name)), "{name}");
    }
    assert_eq!(
        rows.iter().map(|row| row.matches("}:").count() + row.matches("`layout`").count()).sum::<usize>(),
        OWNERS.len() + EXPIRING.len(),
        "the table names kinds that this test does not know"
    );
}

#[tokio::test]
async fn every_key_that_is_left_has_a_time_to_live_or_an_owner_that_knows_it() {
    let world = World::new().await;
    leave_keys(&world).await;
    for (key, owner) in owned(&world).await {
        let (_, id) = kind(&world, &key);
        match owner {
            Owner::Worker | Owner::Layout | Owner::Lease => {}
            Owner::Unsettled => {
                let known = world.unsettled_since(&conversation(id)).await;
                assert!(known.is_some(), "{key} has no time to live and is not among the unsettled");
            }
            Owner::IngestEntry => {
                let conversation = conversation(&world.hash(key.clone()).await["conv"]);
                let waiting = world.ingest(&conversation).await.iter().any(|(_, row)| row["b"].contains(id));
                assert!(waiting, "{key} has no time to live and its entry is gone");
            }
        }
    }
    world.clean_up().await;
}

#[tokio::test]
async fn when_everything_is_persisted_and_settled_nothing_without_an_end_is_left_of_any_conversation() {
    let world = World::new().await;
    let objects: BTreeMap<String, _> = leave_keys(&world)
        .await
        .into_iter()
        .filter_map(|(_, append)| Some((append.body, append.object?.id)))
        .collect();
    for partition in world.broker.keys().partitions().all() {
        let block = Duration::from_millis(10);
        let consumer = Consumer::connect(&world.broker, partition, "worker", block).await.unwrap();
        for delivery in consumer.read(1_000).await.unwrap() {
            let entry = delivery.entry;
            let object = (delivery.stream == StreamKind::Ingest).then(|| {
                let header = Header::parse(std::str::from_utf8(&entry.header).unwrap()).unwrap();
                Some((*objects.get(std::str::from_utf8(&entry.body).unwrap())?, header.version))
            });
            let done = Persisted { id: entry.id, size: entry.size(), object: object.flatten() };
            let acknowledger = Acknowledger::new(world.broker.clone());
            acknowledger.acknowledge(partition, delivery.stream, &[done]).await.unwrap();
        }
        Settler::new(world.broker.clone()).settle(partition, 1_000).await.unwrap();
        consumer.leave().await.unwrap();
    }
    sweep(&world, &Leases::new(world.broker.clone())).await;
    announce(&world).await;
    for (key, owner) in owned(&world).await {
        assert!(matches!(owner, Owner::Worker | Owner::Layout), "{key} is still {owner:?}");
        assert!(!key.ends_with("unsettled"), "{key} has no members left");
    }
    // The conversation goes on, and has an owner again.
    now(world.append_known(&world.message(&conversation("c2"), "3")).await);
    assert!(world.unsettled_since(&conversation("c2")).await.is_some());
    world.clean_up().await;
}
