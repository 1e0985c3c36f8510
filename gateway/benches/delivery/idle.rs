//! Sockets that connect and then do nothing, wave after wave.

use std::time::Duration;

use super::Plan;
use super::client::Client;
use super::gateway::Gateway;

/// Bytes of memory a socket, for each wave.
pub async fn waves(gateway: &Gateway, plan: Plan) -> Vec<f64> {
    let mut waves = Vec::with_capacity(plan.waves);
    // What the first few cost is paid once.
    drop(Client::connect(gateway.address, "first").await);
    let (memory, before) = (gateway.memory(), connections(gateway));
    for _ in 0..plan.waves {
        let mut clients = Vec::with_capacity(plan.idle);
        for number in 0..plan.idle {
            clients.push(Client::connect(gateway.address, &format!("user-{number}")).await);
        }
        waves.push((gateway.memory() - memory) / plan.idle as f64);
        drop(clients);
        while connections(gateway) > before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    waves
}

/// How many TCP connections the gateway has.
fn connections(gateway: &Gateway) -> usize {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap();
    let targets = folder.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
