//! Leases, and what is registered under them.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fred::interfaces::{HashesInterface, KeysInterface, LuaInterface, SortedSetsInterface};
use parlance_broker::{
    lease::{LeaseId, Leases, Registration, Renewal},
    members::{Changes, Members},
    partition::Partition,
    presence::Presences,
};
use parlance_domain::{id::UserId, user::Profile};

use crate::{
    presence::{session, user},
    server::Server,
    world::{DEADLINE, World, conversation, eventually},
};

pub const LONG: Duration = Duration::from_secs(30);

/// A lease that holds.
pub async fn held(leases: &Leases, gateway: &str) -> LeaseId {
    let lease = LeaseId::new(gateway, rand::random());
    leases.take(&lease, LONG).await.unwrap();
    lease
}

/// Lets a lease expire at once.
pub async fn expire(leases: &Leases, lease: &LeaseId) {
    leases.end(lease, Duration::ZERO).await.unwrap();
}

/// Lets workers believe that they have looked for expired leases all the time.
pub async fn skip_caution(world: &World, partition: Partition) {
    let now = milliseconds();
    let fields = vec![("at", now.to_string()), ("not_before", (now - 1).to_string())];
    let _: i64 = world.broker.client().hset(world.broker.keys().sweep(partition), fields).await.unwrap();
}

/// Removes what expired leases have left, as a worker does, and what stands for good until a worker takes it.
pub async fn sweep(world: &World, leases: &Leases) {
    let presences = Presences::new(world.broker.clone());
    let members = Members::new(world.broker.clone());
    for partition in world.broker.keys().partitions().all() {
        skip_caution(world, partition).await;
        for lease in leases.expired(partition, LONG).await.unwrap() {
            loop {
                let registered = leases.registrations(partition, &lease, 3).await.unwrap();
                if registered.is_empty() {
                    break;
                }
                for registration in registered {
                    match registration {
                        Registration::User(user) => {
                            if let Some(transition) = presences.expel(&lease, &user).await.unwrap() {
                                presences.announce(&transition).await.unwrap();
                            }
                        }
                        Registration::Conversation(id) => members.expel(&lease, &id, 200).await.unwrap(),
                    }
                }
            }
            leases.forget(partition, &lease).await.unwrap();
        }
    }
}

/// Announces what nobody has announced, as a worker does.
pub async fn announce(world: &World) {
    let presences = Presences::new(world.broker.clone());
    for partition in world.broker.keys().partitions().all() {
        for transition in presences.unannounced(partition, Duration::ZERO, 100).await.unwrap() {
            presences.announce(&transition).await.unwrap();
        }
    }
}

/// Nothing is left of leases, presence and members, once everybody has gone and all was announced.
pub async fn assert_nothing_is_left(world: &World, leases: &Leases) {
    sweep(world, leases).await;
    announce(world).await;
    let presences = Presences::new(world.broker.clone());
    for partition in world.broker.keys().partitions().all() {
        let seen = presences.last_seen(partition, 1_000).await.unwrap();
        presences.stored(partition, &seen).await.unwrap();
        let ttl: i64 = world.broker.client().pttl(world.broker.keys().sweep(partition)).await.unwrap();
        assert!(ttl > 0, "the sweep's hash goes by itself");
        world.delete(world.broker.keys().sweep(partition)).await;
    }
    assert_eq!(world.keys().await, Vec::<String>::new());
}

#[expect(clippy::disallowed_methods, reason = "the Redis of a test has the same clock")]
fn milliseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test]
async fn a_lease_is_renewed_while_it_holds_and_never_after_it_expired() {
    let world = World::new().await;
    let leases = Leases::new(world.broker.clone());
    let lease = held(&leases, "g1").await;
    let key = world.broker.keys().leases(Partition(1));
    let score = async || -> f64 { world.broker.client().zscore(&key, lease.as_str()).await.unwrap() };
    let before = score().await;
    assert_eq!(leases.renew(&lease, LONG * 2).await.unwrap(), Renewal::Held);
    let renewed = score().await;
    assert!(renewed >= before + 29_000.0, "{before} {renewed}");
    leases.end(&lease, LONG * 4).await.unwrap();
    assert!((score().await - renewed).abs() < 0.5, "no end is later than it would be");
    leases.take(&lease, LONG).await.unwrap();

    // It expires in one partition; the others do not help.
    let _: f64 =
        world.broker.client().zadd(&key, None, None, false, false, (1.0, lease.as_str())).await.unwrap();
    assert_eq!(leases.renew(&lease, LONG).await.unwrap(), Renewal::Lost);
    assert_eq!(leases.renew(&lease, LONG).await.unwrap(), Renewal::Lost);
    assert!(!leases.take(&lease, LONG).await.unwrap_err().is_retryable(), "it is over for good");
    leases.end(&lease, LONG).await.unwrap();
    assert!(score().await < 2.0, "and is not prolonged by its end");
    world.clean_up().await;
}

#[tokio::test]
async fn a_lease_that_redis_has_forgotten_is_lost() {
    let world = World::new().await;
    let leases = Leases::new(world.broker.clone());
    let lease = held(&leases, "g1").await;
    world.delete(world.broker.keys().leases(Partition(0))).await;
    assert_eq!(leases.renew(&lease, LONG).await.unwrap(), Renewal::Lost);
    let other = LeaseId::new("g1", 1);
    assert_eq!(leases.renew(&other, LONG).await.unwrap(), Renewal::Lost, "it was never taken");
    world.clean_up().await;
}

#[tokio::test]
async fn a_lease_is_lost_when_redis_restarted_although_it_still_stands_there() {
    let mut server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let leases = Leases::new(world.broker.clone());
    let lease = held(&leases, "g1").await;
    server.kill();
    server.start_again();
    let renewal = eventually("redis is back", async || leases.renew(&lease, LONG).await).await;
    assert_eq!(renewal, Renewal::Lost);
    let key = world.broker.keys().leases(Partition(0));
    let score: Option<f64> = world.broker.client().zscore(&key, lease.as_str()).await.unwrap();
    assert!(score.is_some(), "redis had it on disk");
    let next = held(&leases, "g1").await;
    assert_eq!(leases.renew(&next, LONG).await.unwrap(), Renewal::Held);
    world.clean_up().await;
}

#[tokio::test]
async fn nothing_is_taken_for_expired_for_one_ttl_after_nobody_looked() {
    let world = World::new().await;
    let leases = Leases::new(world.broker.clone());
    let (dead, alive) = (held(&leases, "dead").await, held(&leases, "alive").await);
    expire(&leases, &dead).await;
    let partition = Partition(0);
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), [], "nobody looked before");
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), []);
    let sweep = world.hash(world.broker.keys().sweep(partition)).await;
    let wait = sweep["not_before"].parse::<u128>().unwrap() - sweep["at"].parse::<u128>().unwrap();
    assert!((29_000..=30_000).contains(&wait), "{sweep:?}");

    skip_caution(&world, partition).await;
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), std::slice::from_ref(&dead));
    // Somebody looks again and again.
    let short = Duration::from_secs(2);
    world.delete(world.broker.keys().sweep(partition)).await;
    let listed = eventually("the caution is over", async || match leases.expired(partition, short).await {
        Ok(listed) if !listed.is_empty() => Ok(listed),
        other => Err(other),
    });
    assert_eq!(listed.await, std::slice::from_ref(&dead));

    // The last look is longer ago than half of the time.
    let long_ago = vec![("at", (milliseconds() - 16_000).to_string()), ("not_before", String::from("0"))];
    let key = world.broker.keys().sweep(partition);
    let _: i64 = world.broker.client().hset(&key, long_ago).await.unwrap();
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), []);
    // A clock that went back does not make the caution last for ever.
    let ahead = (milliseconds() + 1_000_000).to_string();
    let _: i64 =
        world.broker.client().hset(&key, vec![("at", ahead.clone()), ("not_before", ahead)]).await.unwrap();
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), []);
    let sweep = world.hash(key).await;
    assert!(sweep["not_before"].parse::<u128>().unwrap() <= milliseconds() + 30_000, "{sweep:?}");

    assert_eq!(leases.renew(&alive, LONG).await.unwrap(), Renewal::Held);
    world.clean_up().await;
}

#[tokio::test]
async fn a_lease_is_forgotten_only_when_it_expired_and_nothing_is_registered_under_it() {
    let world = World::new().await;
    let leases = Leases::new(world.broker.clone());
    let presences = Presences::new(world.broker.clone());
    let members = Members::new(world.broker.clone());
    let lease = held(&leases, "g1").await;
    let (ann, id) = (user("ann}: x"), conversation("c d:{e}"));
    presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap();
    let changes = Changes { came: vec![Profile::unknown(ann.clone())], ..Changes::default() };
    members.change(&lease, &id, &changes, 200).await.unwrap();

    let partitions = world.broker.keys().partitions().clone();
    let mut registered = HashSet::new();
    for partition in partitions.all() {
        registered.extend(leases.registrations(partition, &lease, 10).await.unwrap());
        assert!(leases.registrations(partition, &lease, 0).await.unwrap().is_empty());
        leases.forget(partition, &lease).await.unwrap();
    }
    let all = HashSet::from([Registration::User(ann.clone()), Registration::Conversation(id.clone())]);
    assert_eq!(registered, all);
    assert_eq!(leases.renew(&lease, LONG).await.unwrap(), Renewal::Held, "what holds is not forgotten");

    expire(&leases, &lease).await;
    let partition = partitions.of(ann.as_str());
    leases.forget(partition, &lease).await.unwrap();
    skip_caution(&world, partition).await;
    assert_eq!(
        leases.expired(partition, LONG).await.unwrap(),
        std::slice::from_ref(&lease),
        "ann is registered"
    );
    presences.expel(&lease, &ann).await.unwrap();
    sweep(&world, &leases).await;
    skip_caution(&world, partition).await;
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), []);
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_another_version_registers_stays_and_keeps_the_lease() {
    let world = World::new().await;
    let leases = Leases::new(world.broker.clone());
    let lease = held(&leases, "g1").await;
    expire(&leases, &lease).await;
    let partition = Partition(0);
    let key = world.broker.keys().registrations(partition, &lease);
    let add = "return redis.call('SADD', KEYS[1], 'x1', 'uann')";
    let _: i64 = world.broker.client().eval(add, vec![key], ()).await.unwrap();
    let registered = leases.registrations(partition, &lease, 10).await.unwrap();
    assert_eq!(registered, [Registration::User(UserId::new("ann").unwrap())]);
    Presences::new(world.broker.clone()).expel(&lease, &user("ann")).await.unwrap();
    leases.forget(partition, &lease).await.unwrap();
    skip_caution(&world, partition).await;
    assert_eq!(leases.expired(partition, LONG).await.unwrap(), [lease]);
    world.clean_up().await;
}
