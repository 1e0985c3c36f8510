//! After Redis restarted it may have gone back in time: the numbers go on above everything that anybody has seen.

use std::{
    future::ready,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use fred::interfaces::HashesInterface;
use futures_util::future::join_all;
use parlance_broker::{
    BrokerError,
    append::{Append, Appended, Floors},
    receipts::ReceiptLog,
};
use parlance_domain::{
    entry::Header, event::EventKind, id::ConversationId, time::Timestamp, version::Version,
};

use crate::{
    server::Server,
    world::{ROOMY, World, answering, conversation, eventually, heads, now, numbers, revs, stored},
};

/// Whether a reader that has everything up to `position` goes on after it saw `state`: the design's rule.
fn goes_on(position: Version, state: &parlance_broker::heads::State) -> bool {
    position.epoch == state.heads.version.epoch
        || position.epoch + 1 == state.heads.version.epoch
            && state.epoch_start(position.epoch + 1).is_some_and(|start| position.rev <= start)
}

async fn world(server: &Server) -> World {
    World::at(&server.url(), Duration::from_secs(5)).await
}

/// Appends as soon as the connection is back.
async fn append(world: &World, append: &Append, floors: Floors) -> Appended {
    let appender = world.appender_within(ROOMY.entries, ROOMY.bytes);
    eventually("redis is back", async || appender.append(append, answering(floors)).await).await
}

async fn fill(world: &World, id: &ConversationId, count: u64) {
    for n in 1..=count {
        now(world.append(&world.message(id, &n.to_string())).await);
    }
}

#[tokio::test]
async fn a_clean_restart_raises_the_epoch_and_stops_no_reader() {
    for clean in [true, false] {
        let mut server = Server::start();
        let world = world(&server).await;
        let id = conversation("c");
        fill(&world, &id, 3).await;
        now(world.append_known(&world.participant(&id, 1, EventKind::ParticipantAdded)).await);
        let before = world.broker.state(&id).await.unwrap().unwrap();
        let ingest = world.ingest(&id).await;

        if clean {
            server.stop();
        } else {
            server.kill();
        }
        server.start_again();
        // Postgres is behind, this gateway has seen it all.
        let floors = Floors { stored: heads(1, 2, 2), seen: heads(1, 4, 3) };
        assert_eq!(numbers(append(&world, &world.message(&id, "4"), floors).await), (2, 5, 4));

        let state = world.broker.state(&id).await.unwrap().unwrap();
        assert_eq!(state.epoch_start(state.heads.version.epoch), Some(4), "the rev that it still had");
        assert!(state.acl > before.acl, "everybody is authorised again");
        assert!((0..=4).all(|rev| goes_on(Version::new(1, rev), &state)));
        assert_eq!(revs(&world.hot_log(&id).await), [5]);
        // Nothing that was acknowledged is lost.
        let after = world.ingest(&id).await;
        assert_eq!((after.len(), &after[..4]), (5, &ingest[..]));
        assert_eq!(numbers(world.append_known(&world.message(&id, "5")).await), (2, 6, 5));
        world.broker.close().await;
    }
}

#[tokio::test]
async fn numbers_that_redis_lost_are_not_given_again_and_readers_that_saw_them_are_resynchronised() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 3).await;
    server.keep_data();
    for n in 4..=8 {
        now(world.append_known(&world.message(&id, &n.to_string())).await);
    }
    server.kill();
    server.go_back();
    server.start_again();

    // The worker has written up to 5, this gateway has seen up to 7, another one has seen 8.
    let floors = Floors { stored: heads(1, 5, 5), seen: heads(1, 7, 7) };
    let header = numbers(append(&world, &world.message(&id, "new"), floors).await);
    assert_eq!(header, (2, 8, 8));
    let state = world.broker.state(&id).await.unwrap().unwrap();
    assert_eq!(state.epoch_start(state.heads.version.epoch), Some(3), "the rev that it still had");
    assert!((0..=3).all(|rev| goes_on(Version::new(1, rev), &state)));
    assert!((4..=8).all(|rev| !goes_on(Version::new(1, rev), &state)), "8 was another event");
    assert!(Version::new(header.0, header.1) > Version::new(1, 8), "the newer row wins");
    assert_eq!(revs(&world.hot_log(&id).await), [8]);
    world.broker.close().await;
}

#[tokio::test]
async fn an_epoch_that_redis_lost_is_not_given_again() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    server.kill();
    server.start_again();
    let floors = stored(4, 9, 6);
    assert_eq!(numbers(append(&world, &world.message(&id, "new"), floors).await), (5, 10, 7));
    world.broker.close().await;
}

#[tokio::test]
async fn of_the_restarts_that_a_reader_may_have_missed_the_last_sixteen_are_remembered() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1).await;
    for restart in 1..=20 {
        // What a restart changes, without one.
        let key = world.broker.keys().state(&id);
        let _: i64 = world.broker.client().hset(key, ("replid", "0".repeat(40))).await.unwrap();
        let append = world.message(&id, &format!("after {restart}"));
        let rev = restart + 1;
        assert_eq!(numbers(world.append_from(&append, Floors::default()).await), (rev, rev, rev));
    }
    let state = world.broker.state(&id).await.unwrap().unwrap();
    assert_eq!(state.epoch_starts, (6..=21).map(|epoch| Version::new(epoch, epoch - 1)).collect::<Vec<_>>());
    assert_eq!((state.epoch_start(5), state.epoch_start(6)), (None, Some(5)));
    world.clean_up().await;
}

#[tokio::test]
async fn a_state_that_was_made_anew_remembers_only_what_began_since() {
    let world = World::new().await;
    let id = conversation("c");
    world.broker.load_state(&id, stored(3, 12, 9)).await.unwrap();
    let key = world.broker.keys().state(&id);
    let _: i64 = world.broker.client().hset(key, ("replid", "0".repeat(40))).await.unwrap();
    let header = numbers(world.append_from(&world.message(&id, "1"), stored(3, 12, 9)).await);
    assert_eq!(header, (4, 13, 10));
    let state = world.broker.state(&id).await.unwrap().unwrap();
    assert_eq!(state.epoch_starts, [Version::new(4, 12)]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_command_that_was_authorised_before_the_restart_is_authorised_again() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    let acl = world.broker.state(&id).await.unwrap().unwrap().acl;
    server.kill();
    server.start_again();
    let mut command = world.message(&id, "new");
    command.acl = Some(acl);
    let Appended::Reauthorize(acl) = append(&world, &command, stored(1, 2, 2)).await else {
        panic!("accepted under an acl of before the restart");
    };
    command.acl = Some(acl);
    assert_eq!(numbers(world.append_known(&command).await), (2, 3, 3));
    world.broker.close().await;
}

#[tokio::test]
async fn of_those_that_notice_a_restart_together_one_raises_the_epoch() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    server.kill();
    server.start_again();
    eventually("redis is back", async || world.broker.ping().await).await;
    let asked = AtomicU32::new(0);
    let appender = world.appender_within(ROOMY.entries, ROOMY.bytes);
    let floors = || {
        asked.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, BrokerError>(stored(1, 2, 2)))
    };
    let appends: Vec<_> = (0..32).map(|n| world.message(&id, &format!("new {n}"))).collect();
    let answers = join_all(appends.iter().map(|append| appender.append(append, floors))).await;
    let mut versions: Vec<_> = answers.into_iter().map(|answer| now(answer.unwrap()).version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (3..=34).map(|rev| Version::new(2, rev)).collect::<Vec<_>>());
    assert!(asked.into_inner() >= 1);
    world.broker.close().await;
}

#[tokio::test]
async fn what_was_said_before_the_restart_is_recognised_after_it() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    let command = world.message(&id, "1");
    let header = now(world.append(&command).await);
    server.kill();
    server.start_again();
    let again = append(&world, &world.message(&id, "1"), Floors::default()).await;
    assert_eq!(again, Appended::Before { mark: command.once.mark, header });
    world.broker.close().await;
}

#[tokio::test]
async fn a_state_of_before_the_restart_is_good_enough_to_read() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    let before = world.broker.state(&id).await.unwrap();
    server.kill();
    server.start_again();
    let after = eventually("redis is back", async || world.broker.state(&id).await).await;
    assert_eq!(after, before);
    assert_eq!(Some(world.broker.load_state(&id, stored(1, 9, 9)).await.unwrap()), before);
    // The first append finds out.
    let appended = numbers(append(&world, &world.message(&id, "new"), stored(1, 2, 2)).await);
    assert_eq!(appended, (2, 3, 3));
    world.broker.close().await;
}

#[tokio::test]
async fn a_refused_append_may_have_verified_and_the_next_one_goes_on_from_there() {
    let mut server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    server.kill();
    server.start_again();
    eventually("redis is back", async || world.broker.ping().await).await;
    let full = world.appender_within(1, 1_000_000);
    let refused = full.append(&world.message(&id, "new"), answering(stored(1, 5, 5))).await.unwrap();
    assert_eq!(refused, Appended::Overloaded);
    assert_eq!(world.ingest(&id).await.len(), 2);
    assert_eq!(numbers(world.append_known(&world.message(&id, "new")).await), (2, 6, 6));
    world.broker.close().await;
}

#[tokio::test]
async fn scripts_that_redis_does_not_know_any_more_are_sent_again() {
    let server = Server::start();
    let world = world(&server).await;
    let id = conversation("c");
    fill(&world, &id, 2).await;
    assert_eq!(server.ask("SCRIPT FLUSH"), "+OK");
    assert_eq!(numbers(world.append_known(&world.message(&id, "3")).await), (1, 3, 3));
    server.ask("SCRIPT FLUSH");
    world.broker.load_state(&conversation("d"), stored(1, 1, 1)).await.unwrap();
    server.ask("SCRIPT FLUSH");
    let header = Header::transient(EventKind::Receipts, Timestamp(1), None);
    ReceiptLog::new(world.broker.clone(), ROOMY).push(&id, &header, "[]").await.unwrap();
    // Many at once, none of which knows of the others.
    server.ask("SCRIPT FLUSH");
    let appends: Vec<_> = (4..=67).map(|n| world.message(&id, &n.to_string())).collect();
    let answers = join_all(appends.iter().map(|append| world.append_known(append))).await;
    let mut seqs: Vec<_> = answers.into_iter().map(|answer| now(answer).seq.0).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (4..=67).collect::<Vec<_>>());
    world.broker.close().await;
}
