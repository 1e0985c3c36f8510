//! Acknowledgement by a replica, on pairs of servers: what is confirmed is on the replica, whatever fails in between.

#![cfg(test)]

use std::time::Duration;

use futures_util::future::join_all;
use parlance_broker::{
    append::{Append, Appended, Appender, Floors},
    replica::{ReplicaGate, Unconfirmed, Written},
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    server::Server,
    world::{DEADLINE, World, answering, conversation, eventually, now},
};

/// How long a confirmation may take where none is expected.
const SOON: Duration = Duration::from_millis(600);
/// More than any test lets wait.
const ROOM: usize = 10_000;

/// A primary with one replica.
struct Pair {
    primary: Server,
    replica: Server,
}

impl Pair {
    async fn start() -> Self {
        let pair = Self { primary: Server::start(), replica: Server::start() };
        follow(&pair.replica, &pair.primary).await;
        pair
    }

    /// The replica goes its own way, as in a failover.
    fn promote(&self) {
        assert_eq!(self.replica.ask("REPLICAOF NO ONE"), "+OK");
    }
}

/// Makes one server the replica of another, and waits until it is.
async fn follow(replica: &Server, primary: &Server) {
    let port = primary.url().rsplit(':').next().unwrap().to_owned();
    // Otherwise a primary waits for more replicas before it synchronises the first one.
    assert_eq!(primary.ask("CONFIG SET repl-diskless-sync-delay 0"), "+OK");
    let answer = replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
    assert!(answer.starts_with("+OK"), "{answer}");
    eventually("the replica is online", async || {
        let info = primary.ask("INFO replication");
        if info.contains("state=online") { Ok(()) } else { Err(info) }
    })
    .await;
}

/// A gate with its task, and what is appended through the same Redis.
struct Gate {
    world: World,
    appender: Appender,
    gate: ReplicaGate,
    task: JoinHandle<()>,
    /// The task ends when this is dropped.
    end: Option<oneshot::Sender<()>>,
}

impl Gate {
    async fn at(server: &Server, patience: Duration, most_waiting: usize) -> Self {
        let world = World::at(&server.url(), patience).await;
        let (gate, rounds) = ReplicaGate::connect(&world.broker, most_waiting).await.unwrap();
        let (end, ended) = oneshot::channel();
        let ended = async {
            let _ = ended.await;
        };
        #[expect(clippy::disallowed_methods, reason = "tests have no lifecycle")]
        let task = tokio::spawn(rounds.run(ended));
        let appender = world.appender_within(1_000_000, 1 << 30);
        Self { world, appender, gate, task, end: Some(end) }
    }

    async fn append(&self, append: &Append) -> (Appended, Written) {
        let answer = self.appender.append_written(append, answering(Floors::default())).await;
        let (appended, written) = answer.unwrap();
        (appended, written.expect("a place has a history"))
    }

    /// Confirms in a task of its own.
    fn confirming(&self, written: Written) -> JoinHandle<Result<(), Unconfirmed>> {
        let gate = self.gate.clone();
        #[expect(clippy::disallowed_methods, reason = "tests have no lifecycle")]
        tokio::spawn(async move { gate.confirm(written).await })
    }
}

/// Waits until somebody waits for a replica there.
async fn blocked(server: &Server) {
    eventually("a client is blocked", async || {
        let info = server.ask("INFO clients");
        if info.contains("blocked_clients:1\r") { Ok(()) } else { Err(info) }
    })
    .await;
}

fn waits(server: &Server) -> u64 {
    let stats = server.ask("INFO commandstats");
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls="));
    calls.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn what_is_confirmed_is_on_the_replica() {
    let pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, DEADLINE, ROOM).await;
    let id = conversation("c");
    for number in 0..50 {
        let append = gate.world.message(&id, &number.to_string());
        let (appended, written) = gate.append(&append).await;
        now(appended);
        gate.gate.confirm(written).await.unwrap();
        // Read at once, without waiting for anything.
        let kept = pair.replica.ask(&format!("EXISTS {}", append.once.key));
        assert_eq!(kept, ":1", "message {number} is not on the replica");
    }
    let keys = gate.world.broker.keys();
    let mark = keys.replica_mark(keys.partitions().of(id.as_str()));
    assert!((1..=60).contains(&gate.world.ttl(mark).await), "the mark goes by itself");
}

#[tokio::test]
async fn without_a_replica_that_answers_nothing_is_confirmed_until_it_is_repeated() {
    let pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, SOON, ROOM).await;
    let append = gate.world.message(&conversation("c"), "1");
    pair.replica.freeze();
    let (appended, written) = gate.append(&append).await;
    let header = now(appended);
    let asked = tokio::time::Instant::now();
    assert_eq!(gate.gate.confirm(written).await, Err(Unconfirmed::Late(SOON)));
    assert!(asked.elapsed() < SOON * 2, "{:?}", asked.elapsed());

    pair.replica.thaw();
    eventually("the repeated command is confirmed", async || {
        let (appended, written) = gate.append(&append).await;
        assert!(matches!(appended, Appended::Before { header: first, .. } if first == header));
        gate.gate.confirm(written).await
    })
    .await;
    assert_eq!(pair.replica.ask(&format!("EXISTS {}", append.once.key)), ":1");
}

#[tokio::test]
async fn a_primary_without_a_replica_confirms_nothing() {
    let server = Server::start();
    let gate = Gate::at(&server, SOON, ROOM).await;
    let (_, written) = gate.append(&gate.world.message(&conversation("c"), "1")).await;
    assert_eq!(gate.gate.confirm(written).await, Err(Unconfirmed::Late(SOON)));
}

#[tokio::test]
async fn many_who_wait_share_few_waits() {
    let pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, DEADLINE, ROOM).await;
    let append = async |number: usize| {
        let id = conversation(&format!("c{}", number % 16));
        gate.append(&gate.world.message(&id, &number.to_string())).await.1
    };
    let written = join_all((0..500).map(append)).await;
    let first = waits(&pair.primary);
    // The first round stands still, so that all others meet in the next one.
    pair.replica.freeze();
    let mut confirming = vec![gate.confirming(written[0].clone())];
    blocked(&pair.primary).await;
    confirming.extend(written[1..].iter().cloned().map(|written| gate.confirming(written)));
    eventually("everybody waits", async || match gate.gate.waiting() {
        500 => Ok(()),
        other => Err(other),
    })
    .await;
    pair.replica.thaw();
    for outcome in join_all(confirming).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(waits(&pair.primary) - first, 2);
    assert_eq!(gate.gate.waiting(), 0);
}

#[tokio::test]
async fn a_write_that_a_failover_lost_is_not_confirmed_by_the_new_primarys_replica() {
    let pair = Pair::start().await;
    let old = Gate::at(&pair.primary, SOON, ROOM).await;
    let id = conversation("c");
    // The replica takes over without the message, and the old primary follows it.
    pair.promote();
    let append = old.world.message(&id, "1");
    let (_, written) = old.append(&append).await;
    follow(&pair.primary, &pair.replica).await;

    let new = Gate::at(&pair.replica, DEADLINE, ROOM).await;
    assert_eq!(new.gate.confirm(written.clone()).await, Err(Unconfirmed::OtherHistory));
    assert_eq!(pair.replica.ask(&format!("EXISTS {}", append.once.key)), ":0");
    // The gate of before the failover asks a server that is a replica by now.
    assert!(old.gate.confirm(written).await.is_err());

    // Repeated, it happens, and what follows it confirms that.
    let (appended, written) = new.append(&append).await;
    now(appended);
    new.gate.confirm(written).await.unwrap();
    assert_eq!(pair.primary.ask(&format!("EXISTS {}", append.once.key)), ":1");
}

#[tokio::test]
async fn a_write_that_survived_a_failover_is_confirmed_when_it_is_repeated() {
    let pair = Pair::start().await;
    let old = Gate::at(&pair.primary, DEADLINE, ROOM).await;
    let append = old.world.message(&conversation("c"), "1");
    let (appended, written) = old.append(&append).await;
    let header = now(appended);
    old.gate.confirm(written.clone()).await.unwrap();
    pair.promote();
    follow(&pair.primary, &pair.replica).await;

    let new = Gate::at(&pair.replica, DEADLINE, ROOM).await;
    // It is there, but that is not known before the command is repeated.
    assert_eq!(new.gate.confirm(written).await, Err(Unconfirmed::OtherHistory));
    let (appended, written) = new.append(&append).await;
    assert_eq!(appended, Appended::Before { mark: append.once.mark.clone(), header });
    new.gate.confirm(written).await.unwrap();
}

#[tokio::test]
async fn a_restart_between_write_and_confirmation_confirms_nothing_until_it_is_repeated() {
    let mut pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, DEADLINE, ROOM).await;
    let append = gate.world.message(&conversation("c"), "1");
    let (_, written) = gate.append(&append).await;
    pair.primary.kill();
    pair.primary.start_again();
    follow(&pair.replica, &pair.primary).await;
    let outcome = eventually("redis can be asked", async || match gate.gate.confirm(written.clone()).await {
        Err(Unconfirmed::Unreachable(reason)) => Err(reason),
        outcome => Ok(outcome),
    });
    assert_eq!(outcome.await, Err(Unconfirmed::OtherHistory));
    let (appended, written) = gate.append(&append).await;
    assert!(matches!(appended, Appended::Before { .. }), "{appended:?}");
    gate.gate.confirm(written).await.unwrap();
}

/// What was not answered is sent again on a new connection, `WAIT` without what it was to wait for.
#[tokio::test]
async fn a_connection_that_breaks_during_the_wait_confirms_nothing() {
    let pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, Duration::from_secs(3), ROOM).await;
    let append = gate.world.message(&conversation("c"), "1");
    pair.replica.freeze();
    let (_, written) = gate.append(&append).await;
    let confirming = gate.confirming(written);
    blocked(&pair.primary).await;
    pair.primary.ask("CLIENT KILL TYPE normal");
    assert!(confirming.await.unwrap().is_err());

    pair.replica.thaw();
    eventually("the repeated command is confirmed", async || {
        let (_, written) = gate.append(&append).await;
        gate.gate.confirm(written).await
    })
    .await;
}

#[tokio::test]
async fn more_than_may_wait_are_refused_at_once() {
    let pair = Pair::start().await;
    let gate = Gate::at(&pair.primary, DEADLINE, 2).await;
    let (_, written) = gate.append(&gate.world.message(&conversation("c"), "1")).await;
    pair.replica.freeze();
    let waiting = [gate.confirming(written.clone()), gate.confirming(written.clone())];
    eventually("both wait", async || match gate.gate.waiting() {
        2 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(gate.gate.confirm(written.clone()).await, Err(Unconfirmed::Overloaded));

    pair.replica.thaw();
    for outcome in join_all(waiting).await {
        outcome.unwrap().unwrap();
    }
    gate.gate.confirm(written).await.unwrap();
}

#[tokio::test]
async fn a_task_that_ends_in_the_middle_of_a_wait_tells_those_who_wait() {
    let pair = Pair::start().await;
    let mut gate = Gate::at(&pair.primary, DEADLINE, ROOM).await;
    let (_, written) = gate.append(&gate.world.message(&conversation("c"), "1")).await;
    pair.replica.freeze();
    let waiting = gate.confirming(written.clone());
    blocked(&pair.primary).await;
    drop(gate.end.take());
    assert!(matches!(waiting.await.unwrap(), Err(Unconfirmed::Unreachable(_))));
    assert!(matches!(gate.gate.confirm(written).await, Err(Unconfirmed::Unreachable(_))));
    timeout(DEADLINE / 2, &mut gate.task).await.expect("the task ends").unwrap();
}
