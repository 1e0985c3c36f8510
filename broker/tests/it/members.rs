//! Who is in a conversation.

use std::collections::{BTreeSet, HashSet};

use fred::interfaces::LuaInterface;
use parlance_broker::{
    lease::{LeaseId, Leases},
    members::{Changed, Changes, Members},
};
use parlance_domain::{
    event::Event,
    id::{ConversationId, UserId},
    user::Profile,
};

use crate::{
    lease::{LONG, assert_nothing_is_left, expire, held, sweep},
    listening::Listener,
    presence::user,
    server::Server,
    world::{DEADLINE, World, conversation, eventually},
};

/// How many members a conversation may have for them to be announced.
const ANNOUNCED: u64 = 200;

fn profile(name: &str) -> Profile {
    Profile { name: name.to_uppercase(), ..Profile::unknown(user(name)) }
}

fn came(names: &[&str]) -> Changes {
    Changes { came: names.iter().map(|name| profile(name)).collect(), ..Changes::default() }
}

fn went(names: &[&str]) -> Changes {
    Changes { went: names.iter().map(|name| user(name)).collect(), ..Changes::default() }
}

fn changed(came: &[&str], went: &[&str]) -> Changed {
    let users = |names: &[&str]| names.iter().map(|name| user(name)).collect();
    Changed { came: users(came), went: users(went), is_announced: true }
}

/// Reads once Redis runs for long enough.
async fn users(members: &Members, id: &ConversationId) -> BTreeSet<String> {
    let users = eventually("redis has settled", async || match members.users(id).await {
        Err(error) if error.is_retryable() => Err(error),
        answer => Ok(answer.unwrap()),
    })
    .await;
    users.into_iter().map(String::from).collect()
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_user_is_here_until_he_has_left_on_the_last_gateway() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let id = conversation("c d:{e}");
    let odd = "bob: the 2:nd {x} \"y\"/";
    let mut listener = Listener::new(&world, &["c d:{e}"]).await;
    let change = async |lease, changes| members.change(lease, &id, &changes, ANNOUNCED).await.unwrap();
    assert_eq!(users(&members, &id).await, names(&[]));

    assert_eq!(change(&g1, came(&["ann", odd])).await, changed(&["ann", odd], &[]));
    assert_eq!(change(&g2, came(&["ann"])).await, changed(&[], &[]), "she is there already");
    assert_eq!(change(&g1, came(&["ann"])).await, changed(&[], &[]), "it was repeated");
    assert_eq!(users(&members, &id).await, names(&["ann", odd]));
    assert_eq!(users(&members, &conversation("other")).await, names(&[]));
    assert_eq!(change(&g1, went(&["ann"])).await, changed(&[], &[]));
    assert_eq!(change(&g1, went(&["ann", "nobody"])).await, changed(&[], &[]));
    assert_eq!(users(&members, &id).await, names(&["ann", odd]));
    let last = Changes { came: vec![profile("carol")], is_empty: true, ..went(&["ann"]) };
    assert_eq!(change(&g2, last).await, changed(&["carol"], &["ann"]));
    let rest = Changes { is_empty: true, ..went(&[odd]) };
    assert_eq!(change(&g1, rest).await, changed(&[], &[odd]));
    assert_eq!(users(&members, &id).await, names(&["carol"]));
    change(&g2, went(&["carol"])).await;
    assert_eq!(change(&g2, Changes { is_empty: true, ..Changes::default() }).await, changed(&[], &[]));

    let heard = listener.heard(&world).await;
    let left = |name: &str| format!("-{name}");
    let expected = [
        String::from("+ANN"),
        format!("+{}", odd.to_uppercase()),
        String::from("+CAROL"),
        left("ann"),
        left(odd),
        left("carol"),
    ];
    assert_eq!(heard.members(), expected);
    for lease in [g1, g2] {
        expire(&leases, &lease).await;
    }
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn who_is_here_under_an_expired_lease_only_is_gone_and_that_is_told_once() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let (g1, g2, g3) = (held(&leases, "g1").await, held(&leases, "g2").await, held(&leases, "g3").await);
    let id = conversation("c");
    let mut listener = Listener::new(&world, &["c"]).await;
    for (lease, names) in [(&g1, ["ann", "bob"]), (&g2, ["ann", "carol"]), (&g3, ["dan", "carol"])] {
        members.change(lease, &id, &came(&names), ANNOUNCED).await.unwrap();
    }
    assert_eq!(listener.heard(&world).await.members(), ["+ANN", "+BOB", "+CAROL", "+DAN"]);
    members.expel(&g1, &id, ANNOUNCED).await.unwrap();
    assert_eq!(users(&members, &id).await.len(), 4, "its lease holds");

    expire(&leases, &g1).await;
    expire(&leases, &g2).await;
    assert_eq!(users(&members, &id).await, names(&["carol", "dan"]));
    let (some, about) = members.some(&id, 10).await.unwrap();
    assert_eq!(some.into_iter().map(String::from).collect::<BTreeSet<_>>(), names(&["carol", "dan"]));
    assert_eq!(about, 4, "until they are removed");
    let dead = members.change(&g1, &id, &came(&["eve"]), ANNOUNCED).await.unwrap();
    assert_eq!(dead, changed(&[], &[]), "nobody comes under it");
    // One of them is back elsewhere.
    let back = members.change(&g3, &id, &came(&["bob"]), ANNOUNCED).await.unwrap();
    assert_eq!(back.came, [user("bob")]);
    let heard = listener.heard(&world).await.members();
    assert_eq!(heard, [""; 0], "that he had gone was not told either");
    sweep(&world, &leases).await;
    sweep(&world, &leases).await;
    assert_eq!(listener.heard(&world).await.members(), ["-ann"]);
    assert_eq!(users(&members, &id).await, names(&["bob", "carol", "dan"]));
    assert_eq!(members.some(&id, 2).await.unwrap().0.len(), 2);
    assert_eq!(members.some(&id, 0).await.unwrap(), (Vec::new(), 3));

    expire(&leases, &g3).await;
    assert_nothing_is_left(&world, &leases).await;
    let gone: BTreeSet<_> = listener.heard(&world).await.members().into_iter().collect();
    assert_eq!(gone, names(&["-bob", "-carol", "-dan"]));
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn in_a_large_conversation_nobody_is_announced() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let id = conversation("c");
    let mut listener = Listener::new(&world, &["c"]).await;
    let change = async |changes| members.change(&lease, &id, &changes, 3).await.unwrap();
    assert!(change(came(&["a", "b"])).await.is_announced);
    assert_eq!(change(came(&["c"])).await, changed(&["c"], &[]));
    let fourth = change(came(&["d"])).await;
    assert_eq!(fourth, Changed::default());
    assert_eq!(change(went(&["a"])).await, Changed { went: vec![user("a")], ..Changed::default() });
    assert_eq!(change(went(&["b"])).await, changed(&[], &["b"]));
    assert_eq!(listener.heard(&world).await.members(), ["+A", "+B", "+C", "-b"]);
    assert_eq!(members.some(&id, 10).await.unwrap().1, 2);
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn more_members_than_one_command_takes_are_all_here_and_all_expelled() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let id = conversation("c");
    let all: Vec<String> = (0..2_500).map(|n| format!("user {n}")).collect();
    let some = |from: &[String]| -> Vec<Profile> { from.iter().map(|name| profile(name)).collect() };
    let first = Changes { came: some(&all), ..Changes::default() };
    let changed = members.change(&g1, &id, &first, 10_000).await.unwrap();
    assert_eq!((changed.came.len(), changed.is_announced), (2_500, true));
    let second = Changes { came: some(&all[..10]), ..Changes::default() };
    assert_eq!(members.change(&g2, &id, &second, 0).await.unwrap(), Changed::default());
    assert_eq!(users(&members, &id).await.len(), 2_500);
    assert_eq!(members.some(&id, 5_000).await.unwrap().0.len(), 1_000);
    let gone = Changes { went: all[2_000..].iter().map(|name| user(name)).collect(), ..Changes::default() };
    assert_eq!(members.change(&g1, &id, &gone, 0).await.unwrap().went.len(), 500);
    expire(&leases, &g1).await;
    members.expel(&g1, &id, 0).await.unwrap();
    assert_eq!(users(&members, &id).await, all[..10].iter().cloned().collect());
    assert_eq!(world.hash(world.broker.keys().members(&id)).await.len(), 10);
    expire(&leases, &g2).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_profile_is_told_as_a_whole() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let mut listener = Listener::new(&world, &["c"]).await;
    let ann = Profile {
        avatar: Some(String::from("https://x/a?b=\"1\"&c\\")),
        role: Some(String::from("agent")),
        name: String::from("Ann\nMüller"),
        ..Profile::unknown(user("ann"))
    };
    let changes = Changes { came: vec![ann.clone()], ..Changes::default() };
    members.change(&lease, &conversation("c"), &changes, ANNOUNCED).await.unwrap();
    let heard = listener.heard(&world).await;
    let [(_, Event::MemberJoined(member))] = heard.events.as_slice() else { panic!("{heard:?}") };
    assert_eq!(member.user, ann);
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_redis_that_has_just_started_does_not_say_that_nobody_is_here() {
    let mut server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let id = conversation("c");
    let lease = held(&leases, "g1").await;
    members.change(&lease, &id, &came(&["ann"]), ANNOUNCED).await.unwrap();
    assert_eq!(users(&members, &id).await, names(&["ann"]));
    server.kill();
    server.start_again();
    let key = world.broker.keys().members(&id);
    eventually("redis is back", async || {
        world
            .broker
            .client()
            .eval::<i64, _, _, _>("return redis.call('HLEN', KEYS[1])", vec![key.clone()], ())
            .await
    })
    .await;
    let error = members.users(&id).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(users(&members, &id).await, names(&["ann"]));
    world.clean_up().await;
}

/// Any number of gateways may be told at the same time.
#[tokio::test]
async fn gateways_that_compete_find_one_coming_and_one_going() {
    let world = World::new().await;
    let (leases, members) = (Leases::new(world.broker.clone()), Members::new(world.broker.clone()));
    let mut gateways: Vec<LeaseId> = Vec::new();
    for n in 0..8 {
        gateways.push(held(&leases, &format!("g{n}")).await);
    }
    let id = conversation("c");
    let all = async |changes: Changes| {
        let told = gateways.iter().map(|lease| members.change(lease, &id, &changes, ANNOUNCED));
        futures_util::future::try_join_all(told).await.unwrap()
    };
    let once = |users: Vec<&UserId>| {
        let distinct: HashSet<_> = users.iter().collect();
        assert_eq!((users.len(), distinct.len()), (2, 2));
    };
    for _ in 0..5 {
        once(all(came(&["ann", "bob"])).await.iter().flat_map(|changed| &changed.came).collect());
        once(all(went(&["ann", "bob"])).await.iter().flat_map(|changed| &changed.went).collect());
    }
    assert_eq!(leases.renew(&gateways[0], LONG).await.unwrap(), parlance_broker::lease::Renewal::Held);
    world.clean_up().await;
}
