//! Any order and any repetition of entries gives the same rows.

use std::sync::atomic::{AtomicU32, Ordering};

use parlance_domain::{event::EventKind, version::Version};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Handle;

use crate::{
    entries::{TestEntry, conversation_created, message_id, message_in, participant, receipt},
    world::World,
};

const USERS: [&str; 3] = ["anna", "ben", "cleo"];

/// What happens in a conversation, without the conversation.
#[derive(Debug, Clone)]
enum Step {
    Message { version: Version, seq: u64 },
    Created { version: Version },
    Participant { kind: EventKind, version: Version, user: usize },
    Receipt { user: usize, delivered: u64, read: u64, later: i64 },
}

impl Step {
    fn entry(&self, conversation: &str) -> TestEntry {
        match *self {
            Step::Message { version, seq } => {
                let content = format!("{}/{}", version.epoch, version.rev);
                message_in(conversation, version, seq, &content)
            }
            Step::Created { version } => conversation_created(conversation, version, &USERS),
            Step::Participant { kind, version, user } => {
                participant(kind, conversation, version, USERS[user])
            }
            Step::Receipt { user, delivered, read, later } => {
                receipt(conversation, USERS[user], delivered, read, later)
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let version = || (1..3_u64, 1..9_u64).prop_map(|(epoch, rev)| Version::new(epoch, rev));
    let kind = prop_oneof![Just(EventKind::ParticipantAdded), Just(EventKind::ParticipantRemoved)];
    let step = prop_oneof![
        4 => (version(), 1..6_u64).prop_map(|(version, seq)| Step::Message { version, seq }),
        1 => version().prop_map(|version| Step::Created { version }),
        1 => (kind, version(), 0..3_usize)
            .prop_map(|(kind, version, user)| Step::Participant { kind, version, user }),
        3 => (0..3_usize, 0..5_u64, 0..5_u64, 0..4_i64)
            .prop_map(|(user, delivered, read, later)| Step::Receipt { user, delivered, read, later }),
    ];
    prop::collection::vec(step, 1..20)
}

/// The steps, and the same in another order with some of them twice.
fn histories() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    steps().prop_flat_map(|steps| {
        let repeated = prop::sample::subsequence(steps.clone(), 0..=steps.len());
        (Just(steps), repeated).prop_flat_map(move |(steps, repeated)| {
            let all: Vec<Step> = steps.iter().cloned().chain(repeated).collect();
            (Just(steps), Just(all).prop_shuffle())
        })
    })
}

/// Everything that is stored of a conversation, without its name.
async fn rows(world: &World, conversation: &str) -> Vec<String> {
    let dump = "
        SELECT to_jsonb(m) - 'id' - 'conversation_id' AS row FROM messages m WHERE conversation_id = $1
        UNION ALL SELECT to_jsonb(p) - 'conversation_id' - 'joined_at' FROM participants p WHERE conversation_id = $1
        UNION ALL SELECT to_jsonb(c) - 'id' FROM conversations c WHERE id = $1";
    let mut rows: Vec<String> = world
        .store
        .run("test", async |connection| {
            let sql = sqlx::AssertSqlSafe(format!("SELECT row::text FROM ({dump}) rows"));
            Ok(sqlx::query_scalar(sql).bind(conversation).fetch_all(connection).await?)
        })
        .await
        .unwrap();
    rows.sort_unstable();
    rows
}

/// Two of the users are members, so that stamps have rows to fall on.
async fn enrol(world: &World, conversation: &str) {
    world
        .store
        .run("test", async |connection| {
            sqlx::query("INSERT INTO participants (conversation_id, user_id, joined_at) SELECT $1, UNNEST($2::text[]), now()")
                .bind(conversation)
                .bind(&USERS[..2])
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_and_repetition_of_entries_gives_the_same_rows() {
    let world = World::new().await;
    // Batches of a few entries, so that the same history falls into different transactions.
    let worker = world
        .start(&[("PARLANCE__INGEST__BATCH_ENTRIES", "3"), ("PARLANCE__INGEST__BATCH_AGE", "1ms")])
        .await;
    let cases = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&histories(), |(straight, shuffled)| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        // Ids of messages are equal in length and different, as their conversations are.
        let (one, two) = (format!("case-{case}-a"), format!("case-{case}-b"));
        assert_ne!(message_id(&one, 1), message_id(&two, 1));
        let (left, right) = tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                enrol(&world, &one).await;
                enrol(&world, &two).await;
                for (conversation, steps) in [(&one, &straight), (&two, &shuffled)] {
                    let entries: Vec<TestEntry> = steps.iter().map(|step| step.entry(conversation)).collect();
                    world.append_all(&entries).await;
                }
                world.drained().await;
                (rows(&world, &one).await, rows(&world, &two).await)
            })
        });
        prop_assert_eq!(left, right);
        Ok(())
    });
    outcome.unwrap();
    worker.stop().await;
    world.clean_up().await;
}
