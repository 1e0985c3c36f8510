//! How long a worker takes to remove the users of a gateway that died.

use std::time::{Duration, Instant};

use parlance_broker::Broker;
use parlance_chassis::{
    clock::Clock,
    config::{Environment, Sources},
    lifecycle::Lifecycle,
};
use parlance_worker::{app, config::Settings};
use tokio::net::TcpListener;

use super::{crowd::Crowd, usage::Usage};

/// How long a worker looks before it believes that a lease has expired.
const TTL: Duration = Duration::from_secs(8);

/// Lets the last gateway die while a worker of this process runs.
pub async fn measure(broker: &Broker, crowd: &Crowd, database: &str, redis: &str) {
    let ttl = format!("{}s", TTL.as_secs());
    let environment = [
        ("PARLANCE__REDIS__URL", redis),
        ("PARLANCE__REDIS__PREFIX", &broker.config().prefix),
        ("PARLANCE__POSTGRES__URL", database),
        ("PARLANCE__ADMIN__PORT", "0"),
        ("PARLANCE__PRESENCE__TTL", &ttl),
    ];
    let settings = Settings::read(&Sources::new(None, Environment::from_pairs(environment))).unwrap();
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    app::start(settings, Clock::system(), admin, &handle).await.unwrap();
    let running = tokio::spawn(lifecycle.run(Duration::from_secs(10)));
    tokio::time::sleep(2 * TTL).await;

    let lease = crowd.held.last().unwrap();
    let (online, begin, before) = (crowd.online().await, Instant::now(), Usage::read(broker).await);
    crowd.die(lease).await;
    while !crowd.is_swept(lease).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (time, spent) = (begin.elapsed(), before.since(broker).await);
    let gone = online - crowd.online().await;
    let micros = |used: Duration| used.as_secs_f64() * 1e6 / gone as f64;
    println!(
        "a gateway with {gone} users died: removed within {:.1} s, {:.0} a second; redis {:.1} µs and the worker {:.1} µs \
         a user",
        time.as_secs_f64(),
        gone as f64 / time.as_secs_f64(),
        micros(spent.redis),
        micros(spent.own)
    );
    handle.stop();
    running.await.unwrap();
}
