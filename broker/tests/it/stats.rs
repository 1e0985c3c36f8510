//! What gateways say of themselves, and what they have in all.

use std::collections::BTreeMap;

use fred::interfaces::HashesInterface;
use parlance_broker::{
    lease::Leases,
    members::{Changes, Members},
    presence::Presences,
    stats::{ClusterStats, GatewayStats, Stats},
};
use parlance_domain::{presence::Status, user::Profile};

use crate::{
    lease::{assert_nothing_is_left, expire, held, sweep},
    presence::{session, user},
    world::{World, conversation},
};

fn stats(connected: u64) -> GatewayStats {
    let dialects = BTreeMap::from([(String::from("native"), connected)]);
    GatewayStats { connected, users: 2, rooms: 3, dialects }
}

#[tokio::test]
async fn each_gateway_that_lives_is_listed_with_what_it_said_last() {
    let world = World::new().await;
    let (leases, all) = (Leases::new(world.broker.clone()), Stats::new(world.broker.clone()));
    assert_eq!(all.read().await.unwrap(), ClusterStats::default());
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    for (lease, connected) in [(&g2, 5), (&g1, 1), (&g1, 2)] {
        all.report(lease, &stats(connected)).await.unwrap();
    }
    let read = all.read().await.unwrap();
    let said: Vec<_> = read.gateways.iter().map(|(lease, _, stats)| (lease.clone(), stats.clone())).collect();
    assert_eq!(said, [(g1.clone(), stats(2)), (g2.clone(), stats(5))]);
    assert!(read.gateways.iter().all(|(_, at, _)| at.0 > 1_700_000_000_000), "{read:?}");

    expire(&leases, &g1).await;
    all.report(&g1, &stats(9)).await.unwrap();
    let read = all.read().await.unwrap();
    assert_eq!(read.gateways.iter().map(|(lease, ..)| lease).collect::<Vec<_>>(), [&g2]);
    sweep(&world, &leases).await;
    all.report(&g1, &stats(9)).await.unwrap();
    assert_eq!(
        world.hash(world.broker.keys().gateways()).await.len(),
        1,
        "what it said is forgotten with it"
    );
    expire(&leases, &g2).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_cannot_be_read_of_a_gateway_keeps_no_other_from_being_listed() {
    let world = World::new().await;
    let (leases, all) = (Leases::new(world.broker.clone()), Stats::new(world.broker.clone()));
    let key = world.broker.keys().gateways();
    // Enough of them, so that in whatever order Redis gives them some stand behind each.
    let mut good = Vec::new();
    for n in 0..8 {
        let lease = held(&leases, &format!("good-{n}")).await;
        all.report(&lease, &stats(n)).await.unwrap();
        good.push((lease, stats(n)));
    }
    let texts =
        ["", " ", "{}", "7", "7 ", "7 [", "seven {}", "-7 {}", "99999999999999999999 {}", "7 {\"users\":-1}"];
    for (n, text) in texts.into_iter().enumerate() {
        let lease = held(&leases, &format!("bad-{n}")).await;
        let _: i64 = world.broker.client().hset(&key, (lease.as_str(), text)).await.unwrap();
    }
    // A later version says more, an older one less.
    let lease = held(&leases, "good-other").await;
    let text = "7 {\"users\":1,\"shoes\":[2]}";
    let _: i64 = world.broker.client().hset(&key, (lease.as_str(), text)).await.unwrap();
    good.push((lease, GatewayStats { users: 1, ..GatewayStats::default() }));
    let read = all.read().await.unwrap();
    let said: Vec<_> = read.gateways.iter().map(|(lease, _, stats)| (lease.clone(), stats.clone())).collect();
    assert_eq!(said, good);
    world.clean_up().await;
}

#[tokio::test]
async fn users_and_conversations_on_several_gateways_count_once() {
    let world = World::new().await;
    let (leases, all) = (Leases::new(world.broker.clone()), Stats::new(world.broker.clone()));
    let presences = Presences::new(world.broker.clone());
    let members = Members::new(world.broker.clone());
    let gateways = [held(&leases, "g1").await, held(&leases, "g2").await];
    let changes = Changes { came: vec![Profile::unknown(user("u1"))], ..Changes::default() };
    for lease in &gateways {
        for n in 0..10 {
            presences.connect(lease, &user(&format!("u{n}")), &session(lease.gateway(), 1)).await.unwrap();
        }
        for n in 0..4 {
            members.change(lease, &conversation(&format!("c{n}")), &changes, 200).await.unwrap();
        }
    }
    presences.set_status(&user("u1"), Status::Offline).await.unwrap().unwrap();
    presences.set_status(&user("u2"), Status::Busy).await.unwrap().unwrap();
    let count = async || {
        let read = all.read().await.unwrap();
        (read.users, read.rooms)
    };
    assert_eq!(count().await, (10, 4), "those count too who do not want to be seen");
    let session = session("g1", 1).id;
    presences.disconnect(&gateways[0], &user("u1"), &session).await.unwrap();
    assert_eq!(count().await, (10, 4));
    expire(&leases, &gateways[1]).await;
    sweep(&world, &leases).await;
    assert_eq!(count().await, (9, 4));
    let gone = Changes { went: vec![user("u1")], is_empty: true, ..Changes::default() };
    members.change(&gateways[0], &conversation("c0"), &gone, 200).await.unwrap();
    assert_eq!(count().await, (9, 3));
    expire(&leases, &gateways[0]).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}
