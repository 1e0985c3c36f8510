//! The subscribing connection: what is confirmed is live, and a break is told.

use futures_util::future::{join_all, try_join_all};
use parlance_broker::{
    partition::Partition,
    subscriber::{Inbox, Incoming, Subscriber},
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::{ConversationId, UserId},
    time::Timestamp,
    user_event::UserEvent,
};
use std::collections::BTreeSet;

use crate::{
    server::Server,
    world::{DEADLINE, World, conversation, eventually, now},
};

async fn next(inbox: &mut Inbox) -> Incoming {
    tokio::time::timeout(DEADLINE, inbox.next()).await.expect("something comes in time")
}

/// The next publication, with whose it is.
async fn published(inbox: &mut Inbox) -> (ConversationId, String) {
    match next(inbox).await {
        Incoming::Published { conversation, payload, .. } => (conversation, payload),
        other => panic!("no publication: {other:?}"),
    }
}

/// Waits until the connection is back; what arrives before that is passed over.
async fn reconnected(inbox: &mut Inbox) {
    while !matches!(next(inbox).await, Incoming::Reconnected) {}
}

async fn append(world: &World, id: &ConversationId, client_id: &str) -> String {
    let append = world.message(id, client_id);
    let header = now(world.append(&append).await);
    format!("{header}\n{}", append.body)
}

/// The ids of those connections of the server that subscribe.
fn subscribing(server: &Server) -> Vec<String> {
    let list = server.ask("CLIENT LIST TYPE pubsub");
    let id = |line: &str| line.split(' ').find_map(|field| field.strip_prefix("id=")).unwrap().to_owned();
    list.lines().map(id).collect()
}

#[tokio::test]
async fn what_is_appended_after_a_confirmed_subscription_arrives_in_order() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    for round in 0..50 {
        let id = conversation(&format!("c{round}"));
        subscriber.subscribe(&id).await.unwrap();
        for client_id in ["1", "2", "3"] {
            let expected = append(&world, &id, client_id).await;
            assert_eq!(published(&mut inbox).await, (id.clone(), expected));
        }
    }
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn many_subscriptions_in_flight_are_each_live_when_they_are_confirmed() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let ids: Vec<_> = (0..500).map(|n| conversation(&format!("c{n}"))).collect();
    // Each is appended to as soon as its own subscription is confirmed, while others are in flight.
    let appended = try_join_all(ids.iter().map(async |id| {
        subscriber.subscribe(id).await?;
        Ok::<_, parlance_broker::BrokerError>(append(&world, id, "1").await)
    }));
    let expected: BTreeSet<_> = ids.iter().cloned().zip(appended.await.unwrap()).collect();
    let mut arrived = BTreeSet::new();
    for _ in &ids {
        arrived.insert(published(&mut inbox).await);
    }
    assert_eq!(arrived, expected);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn nothing_arrives_of_a_conversation_that_was_unsubscribed() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let (left, joined) = (conversation("c2"), conversation("c6"));
    subscriber.subscribe(&left).await.unwrap();
    subscriber.subscribe(&joined).await.unwrap();
    subscriber.unsubscribe(&left).await.unwrap();
    append(&world, &left, "1").await;
    let expected = append(&world, &joined, "1").await;
    assert_eq!(published(&mut inbox).await, (joined, expected));
    // And it can be subscribed to again.
    subscriber.subscribe(&left).await.unwrap();
    let expected = append(&world, &left, "2").await;
    assert_eq!(published(&mut inbox).await, (left, expected));
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn users_and_adapters_have_channels_of_their_own() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let (here, gone) = (UserId::new("c2").unwrap(), UserId::new("x}:conv:{y").unwrap());
    // A conversation of the same name is somebody else.
    subscriber.subscribe(&conversation("c2")).await.unwrap();
    subscriber.subscribe_user(&here).await.unwrap();
    subscriber.subscribe_user(&gone).await.unwrap();
    subscriber.unsubscribe_user(&gone).await.unwrap();
    for user in [&gone, &here] {
        world.broker.publish_to_user(user, &UserEvent::Disconnect).await.unwrap();
    }
    match next(&mut inbox).await {
        Incoming::PublishedToUser { user, partition, payload } => {
            assert_eq!((&user, partition), (&here, world.broker.keys().partitions().of("c2")));
            assert_eq!(serde_json::from_str::<UserEvent>(&payload).unwrap(), UserEvent::Disconnect);
        }
        other => panic!("not the user's event: {other:?}"),
    }
    let channel = format!("{}-request#/#", world.broker.keys().cluster_prefix());
    assert_eq!(world.broker.count_cluster(&channel).await.unwrap(), 0);
    subscriber.subscribe_cluster(&channel).await.unwrap();
    assert_eq!(world.broker.count_cluster(&channel).await.unwrap(), 1);
    let bytes = vec![0, 0xff, b'a'];
    world.broker.publish_to_cluster(&channel, bytes.clone()).await.unwrap();
    match next(&mut inbox).await {
        Incoming::PublishedToCluster { channel: came, partition, payload } => {
            assert_eq!((came, partition, payload), (channel.clone(), Partition(0), bytes));
        }
        other => panic!("not what an adapter said: {other:?}"),
    }
    subscriber.unsubscribe_cluster(&channel).await.unwrap();
    assert_eq!(world.broker.count_cluster(&channel).await.unwrap(), 0);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_has_no_place_in_the_order_is_published_too() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let id = conversation("x}:conv:{y");
    subscriber.subscribe(&id).await.unwrap();
    let header = Header::transient(EventKind::TypingStarted, Timestamp(5), None);
    world.broker.publish(&id, &header, r#"{"user":{"id":"u","name":"U"}}"#).await.unwrap();
    let (conversation, payload) = published(&mut inbox).await;
    let envelope = Envelope::decode_published(conversation, &payload).unwrap();
    assert_eq!((envelope.conversation, envelope.header), (id.clone(), header));
    assert!(matches!(envelope.event, Event::TypingStarted(_)));
    assert_eq!(world.broker.state(&id).await.unwrap(), None);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_probe_comes_back_on_its_partition() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    for partition in world.broker.keys().partitions().all() {
        subscriber.subscribe_probe(partition).await.unwrap();
    }
    for wanted in [Partition(1), Partition(0)] {
        let sent = format!("gateway-1 {}", wanted.0);
        world.broker.probe(wanted, &sent).await.unwrap();
        let incoming = next(&mut inbox).await;
        let Incoming::Probe { partition, mark } = incoming else { panic!("{incoming:?}") };
        assert_eq!((partition, mark), (wanted, sent));
    }
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_connection_that_was_never_broken_tells_of_no_reconnection() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    subscriber.subscribe_probe(Partition(0)).await.unwrap();
    world.broker.probe(Partition(0), "mark").await.unwrap();
    let first = next(&mut inbox).await;
    assert!(matches!(first, Incoming::Probe { .. }), "{first:?}");
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_break_is_told_nothing_is_subscribed_after_it_and_subscribing_again_works() {
    let server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let id = conversation("c");
    let partition = world.broker.keys().partitions().of(id.as_str());
    for round in 0..4 {
        subscriber.subscribe(&id).await.unwrap();
        let expected = append(&world, &id, &format!("{round} live")).await;
        assert_eq!(published(&mut inbox).await.1, expected);

        if round % 2 == 0 {
            let [connection] = &subscribing(&server)[..] else { panic!("one connection subscribes") };
            assert_eq!(server.ask(&format!("CLIENT KILL ID {connection}")), ":1");
        } else {
            subscriber.replace().await.unwrap();
        }
        reconnected(&mut inbox).await;
        append(&world, &id, &format!("{round} missed")).await;
        subscriber.subscribe_probe(partition).await.unwrap();
        world.broker.probe(partition, "after").await.unwrap();
        let incoming = next(&mut inbox).await;
        assert!(matches!(incoming, Incoming::Probe { .. }), "{incoming:?}");
    }
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn subscriptions_that_a_break_met_in_flight_are_confirmed_only_when_they_are_live() {
    let server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    subscriber.subscribe(&conversation("first")).await.unwrap();
    let [connection] = &subscribing(&server)[..] else { panic!("one connection subscribes") };
    let ids: Vec<_> = (0..200).map(|n| conversation(&format!("c{n}"))).collect();
    let subscribing = join_all(ids.iter().map(|id| subscriber.subscribe(id)));
    let kill = async { server.ask(&format!("CLIENT KILL ID {connection}")) };
    let (first, _) = tokio::join!(subscribing, kill);
    reconnected(&mut inbox).await;
    // The gateway subscribes everything again after a break; whatever was confirmed before or after must be live then.
    drop(first);
    try_join_all(ids.iter().map(|id| subscriber.subscribe(id))).await.unwrap();
    let mut expected = BTreeSet::new();
    for id in &ids {
        expected.insert((id.clone(), append(&world, id, "1").await));
    }
    let mut arrived = BTreeSet::new();
    while arrived.len() < expected.len() {
        arrived.insert(published(&mut inbox).await);
    }
    assert_eq!(arrived, expected);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_restart_is_told_and_subscriptions_can_be_made_again() {
    let mut server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let id = conversation("c");
    subscriber.subscribe(&id).await.unwrap();
    server.kill();
    server.start_again();
    reconnected(&mut inbox).await;
    eventually("the subscription is back", async || subscriber.subscribe(&id).await).await;
    let expected = append(&world, &id, "1").await;
    assert_eq!(published(&mut inbox).await.1, expected);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_receiver_that_is_too_slow_is_told_how_many_publications_it_missed() {
    const SENT: u64 = 20_000;
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    let id = conversation("c");
    let partition = world.broker.keys().partitions().of(id.as_str());
    subscriber.subscribe(&id).await.unwrap();
    subscriber.subscribe_probe(partition).await.unwrap();
    let header = Header::transient(EventKind::TypingStarted, Timestamp(5), None);
    for _ in 0..SENT / 500 {
        try_join_all((0..500).map(|_| world.broker.publish(&id, &header, "{}"))).await.unwrap();
    }
    world.broker.probe(partition, "last").await.unwrap();
    // Answered on the same connection, so everything before it has been received.
    subscriber.subscribe(&conversation("d")).await.unwrap();
    let (mut arrived, mut missed) = (0, 0);
    loop {
        match next(&mut inbox).await {
            Incoming::Published { .. } => arrived += 1,
            Incoming::Lagged(count) => missed += count,
            Incoming::Probe { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(missed > 0, "{arrived} arrived");
    assert_eq!(arrived + missed, SENT);
    subscriber.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn the_end_of_the_connection_is_told() {
    let world = World::new().await;
    let (subscriber, mut inbox) = Subscriber::connect(&world.broker).await.unwrap();
    subscriber.close().await;
    drop(subscriber);
    while !matches!(next(&mut inbox).await, Incoming::Closed) {}
    world.clean_up().await;
}
