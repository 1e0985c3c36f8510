//! When Redis was away, gateways could not renew their leases: nobody is removed until they had time to be back.

use std::time::Duration;

use parlance_chassis::clock::Clock;
use parlance_domain::presence::Status;

use super::gateway::{LONG, TestGateway, presence_ear, presences, user};
use crate::{
    server::Server,
    world::{World, eventually},
};

const TTL: Duration = Duration::from_secs(4);

#[tokio::test]
async fn after_redis_was_away_nobody_is_removed_for_one_ttl_and_who_is_told_again_by_then_never_goes_offline()
{
    let mut redis = Server::start();
    let world = World::on(&redis.url()).await;
    let environment = [("PARLANCE__PRESENCE__TTL", "4s"), ("PARLANCE__PRESENCE__SWEEP_INTERVAL", "100ms")];
    let worker = world.start(&environment).await;
    // That it has begun to remove shows that it trusts its clock; the outage takes that away again.
    let first = TestGateway::start(&world, LONG).await;
    first.connect("zoe").await;
    first.die().await;
    first.forgotten(&world).await;

    let gateway = TestGateway::start(&world, TTL).await;
    gateway.connect("anna").await;
    gateway.connect("ben").await;
    let expiry = tokio::time::Instant::now() + TTL;
    redis.kill();
    tokio::time::sleep_until(expiry).await;
    // The clock that Redis has too.
    let back = Clock::system().now_ms();
    redis.start_again();
    eventually("the tests' own connection is back", async || world.broker.ping().await).await;
    // Anna's gateway is back, under another lease; Ben's client is not.
    let again = TestGateway::start(&world, LONG).await;
    assert_eq!(again.connect("anna").await, None, "to the others she was there all the time");
    let mut everywhere = presence_ear(&world).await;

    gateway.forgotten(&world).await;
    let told = presences(&everywhere.rest().await);
    let offline: Vec<_> = told.iter().map(|presence| (&presence.user, presence.status)).collect();
    assert_eq!(offline, [(&user("ben"), Status::Offline)]);
    let ttl = i64::try_from(TTL.as_millis()).unwrap();
    assert!(told[0].at.0 >= back + ttl, "{} is earlier than {back} and one ttl", told[0].at.0);
    worker.stop().await;
    everywhere.end().await;
}
