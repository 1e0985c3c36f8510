//! A request that is claimed is one caller's until it is answered, let go or out of time.

use std::time::Duration;

use parlance_broker::idempotency::{Claim, Claimed};

use crate::world::{DEADLINE, World};

const MINUTE: Duration = Duration::from_secs(60);

fn ours(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Now(claim) => claim,
        other => panic!("claimed before: {other:?}"),
    }
}

#[tokio::test]
async fn one_claims_and_the_others_find_its_mark_and_then_its_answer() {
    let world = World::new().await;
    let claim = ours(world.broker.claim("n", "mark", "1", MINUTE).await.unwrap());
    let other = world.broker.claim("n", "other", "2", MINUTE).await.unwrap();
    assert_eq!(other, Claimed::Running("mark".to_owned()));
    // The same claim again, as when the answer of Redis was lost.
    assert_eq!(ours(world.broker.claim("n", "mark", "1", MINUTE).await.unwrap()), claim);
    ours(world.broker.claim("m", "mark", "3", MINUTE).await.unwrap());
    assert!(world.broker.keep_answer(&claim, "claim of\nanything", MINUTE).await.unwrap());
    let other = world.broker.claim("n", "mark", "4", MINUTE).await.unwrap();
    assert_eq!(other, Claimed::Answered("claim of\nanything".to_owned()));
    world.clean_up().await;
}

#[tokio::test]
async fn what_is_let_go_can_be_claimed_again() {
    let world = World::new().await;
    let claim = ours(world.broker.claim("n", "mark", "1", MINUTE).await.unwrap());
    assert!(world.broker.release(&claim).await.unwrap());
    ours(world.broker.claim("n", "other", "2", MINUTE).await.unwrap());
    world.clean_up().await;
}

#[tokio::test]
async fn a_claim_that_ran_out_does_not_touch_the_next_one() {
    let world = World::new().await;
    let late = ours(world.broker.claim("n", "mark", "1", Duration::from_millis(1)).await.unwrap());
    let next = tokio::time::timeout(DEADLINE, async {
        loop {
            match world.broker.claim("n", "mark", "2", MINUTE).await.unwrap() {
                Claimed::Now(claim) => break claim,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    });
    let next = next.await.expect("the claim runs out");
    assert!(!world.broker.keep_answer(&late, "late", MINUTE).await.unwrap());
    assert!(!world.broker.release(&late).await.unwrap());
    assert!(world.broker.keep_answer(&next, "next", MINUTE).await.unwrap());
    let found = world.broker.claim("n", "mark", "3", MINUTE).await.unwrap();
    assert_eq!(found, Claimed::Answered("next".to_owned()));
    world.clean_up().await;
}
