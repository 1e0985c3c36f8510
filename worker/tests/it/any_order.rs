//! Whatever happens in a conversation: its entries, in any order, any number of times and cut into any batches, give the
//! rows that they give one after the other.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngSeed, TestRunner},
};
use tokio::runtime::Handle;

use crate::{
    entries::TestEntry,
    history::{Deed, USERS, tell},
    world::World,
};

const CASES: u32 = 24;

/// What happens in two conversations, and how it is delivered.
#[derive(Clone)]
struct Case {
    histories: [Vec<Deed>; 2],
    /// Where each entry goes: the order of these numbers.
    order: Vec<u32>,
    /// Entries that are delivered once more, anywhere.
    repeated: Vec<(Index, u32)>,
    /// After which entries everything so far is written before it goes on.
    cuts: Vec<Index>,
}

impl Case {
    /// The entries as they happened, under these names.
    fn straight(&self, names: [&str; 2]) -> Vec<TestEntry> {
        self.histories.iter().zip(names).flat_map(|(deeds, name)| tell(name, deeds)).collect()
    }

    /// The same as they are delivered, in the pieces that are written one after the other.
    fn delivered(&self, straight: &[TestEntry]) -> Vec<Vec<TestEntry>> {
        let mut all: Vec<(u32, &TestEntry)> = self.order.iter().copied().cycle().zip(straight).collect();
        if !straight.is_empty() {
            all.extend(self.repeated.iter().map(|(which, place)| (*place, which.get(straight))));
        }
        all.sort_by_key(|(place, _)| *place);
        let mut pieces = vec![Vec::new()];
        let cuts: Vec<usize> = self.cuts.iter().map(|cut| cut.index(all.len().max(1))).collect();
        for (position, (_, entry)) in all.into_iter().enumerate() {
            if cuts.contains(&position) {
                pieces.push(Vec::new());
            }
            pieces.last_mut().unwrap().push(entry.clone());
        }
        pieces
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let straight = self.straight(["a", "b"]);
        let pieces = self.delivered(&straight);
        let headers = |entries: &[TestEntry]| -> Vec<String> {
            entries.iter().map(|entry| format!("{} {}", entry.conversation, entry.header)).collect()
        };
        let pieces: Vec<_> = pieces.iter().map(|piece| headers(piece)).collect();
        f.debug_struct("Case").field("histories", &self.histories).field("pieces", &pieces).finish()
    }
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let (which, user) = (|| 0..4_usize, || 0..USERS.len());
    let deed = prop_oneof![
        6 => Just(Deed::Send),
        3 => which().prop_map(|which| Deed::Edit { which }),
        1 => which().prop_map(|which| Deed::TakeBack { which }),
        6 => (which(), user(), 0..2_usize)
            .prop_map(|(which, user, emoji)| Deed::Toggle { which, user, emoji }),
        2 => user().prop_map(|user| Deed::Ring { user }),
        3 => (which(), user()).prop_map(|(which, user)| Deed::Answer { which, user }),
        2 => which().prop_map(|which| Deed::HangUp { which }),
        1 => Just(Deed::Create),
        1 => Just(Deed::Update),
        1 => user().prop_map(|user| Deed::Come { user }),
        1 => user().prop_map(|user| Deed::Go { user }),
        2 => (user(), 0..3_u64).prop_map(|(user, back)| Deed::Read { user, back }),
        1 => Just(Deed::Restart),
    ];
    let deeds = prop::collection::vec(deed, 1..40);
    // At most one of both is deleted, at any time.
    (deeds, prop::option::of(any::<Index>())).prop_map(|(mut deeds, deleted)| {
        if let Some(index) = deleted {
            deeds.insert(index.index(deeds.len() + 1), Deed::Delete);
        }
        deeds
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let order = prop::collection::vec(any::<u32>(), 80..100);
    let repeated = prop::collection::vec((any::<Index>(), any::<u32>()), 0..20);
    let cuts = prop::collection::vec(any::<Index>(), 0..5);
    ([deeds(), deeds()], order, repeated, cuts).prop_map(|(histories, order, repeated, cuts)| Case {
        histories,
        order,
        repeated,
        cuts,
    })
}

/// Everything that is stored, in all tables that entries change.
async fn rows(world: &World) -> Vec<String> {
    const DUMP: &str = "
        SELECT row::text FROM (
            SELECT 'message', to_jsonb(t) FROM messages t
            UNION ALL SELECT 'reaction', to_jsonb(t) FROM reactions t
            UNION ALL SELECT 'call', to_jsonb(t) FROM calls t
            UNION ALL SELECT 'in call', to_jsonb(t) FROM call_participants t
            UNION ALL SELECT 'participant', to_jsonb(t) FROM participants t
            UNION ALL SELECT 'conversation', to_jsonb(t) FROM conversations t
            UNION ALL SELECT 'dead letter', to_jsonb(t) FROM dead_letters t
        ) AS row";
    let mut rows: Vec<String> = world
        .store
        .run("test", async |connection| Ok(sqlx::query_scalar(DUMP).fetch_all(connection).await?))
        .await
        .unwrap();
    rows.sort_unstable();
    rows
}

const FORGET: &str =
    "TRUNCATE messages, reactions, calls, call_participants, participants, conversations, dead_letters";

/// As commands leave them: two of the users are members.
async fn enrol(world: &World, conversations: [&str; 2]) {
    const ENROL: &str = "
        INSERT INTO participants (conversation_id, user_id, joined_at)
        SELECT c, u, to_timestamp(1700000000) FROM UNNEST($1::text[]) c, UNNEST($2::text[]) u";
    let enrol = world.store.run("test", async |connection| {
        let names = conversations.as_slice();
        sqlx::query(ENROL).bind(names).bind(&USERS[..2]).execute(connection).await?;
        Ok(())
    });
    enrol.await.unwrap();
}

async fn deliver(world: &World, pieces: &[Vec<TestEntry>]) {
    for piece in pieces {
        join_all(piece.iter().map(|entry| world.append(entry))).await;
        world.drained().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_repetition_and_batches_give_the_rows_of_delivery_in_order() {
    let (straight, shuffled) = (World::new().await, World::new().await);
    let slow = ("PARLANCE__INGEST__BATCH_AGE", "20ms");
    let workers = [
        straight.start(&[("PARLANCE__INGEST__BATCH_ENTRIES", "1"), ("PARLANCE__INGEST__WRITERS", "1")]).await,
        // Two that compete, one with small batches and one with large ones.
        shuffled.start(&[("PARLANCE__INGEST__BATCH_ENTRIES", "3"), slow]).await,
        shuffled.start(&[slow]).await,
    ];
    // `PROPTEST_RNG_SEED` plays a failure again.
    let seed = match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand::random(),
    };
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 60,
        rng_seed,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let cases_begun = AtomicU32::new(0);
    let outcome = runner.run(&cases(), |case| {
        let n = cases_begun.fetch_add(1, Ordering::Relaxed);
        let names = [format!("{n}-a"), format!("{n}-b")];
        let names = [names[0].as_str(), names[1].as_str()];
        let entries = case.straight(names);
        let pieces = case.delivered(&entries);
        let (left, right) = tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                for world in [&straight, &shuffled] {
                    enrol(world, names).await;
                }
                for entry in &entries {
                    straight.append(entry).await;
                }
                deliver(&shuffled, &pieces).await;
                straight.drained().await;
                let both = (rows(&straight).await, rows(&shuffled).await);
                for world in [&straight, &shuffled] {
                    world.sql(FORGET).await;
                }
                both
            })
        });
        prop_assert_eq!(left, right);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("with seed {seed}: {failure}"));
    for worker in workers {
        worker.stop().await;
    }
    for world in [straight, shuffled] {
        world.clean_up().await;
    }
}
