//! Processes that disagree about the partitions do not work on the same keys.

use futures_util::future::join_all;
use parlance_broker::BrokerError;

use crate::world::{DEADLINE, World, connect, redis_url};

#[tokio::test]
async fn the_first_process_records_the_layout_and_those_that_agree_start() {
    let world = World::new().await;
    let answers = join_all((0..8).map(|_| world.broker.check_layout())).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.keys().await, [world.broker.keys().layout()]);
    assert_eq!(world.ttl(world.broker.keys().layout()).await, -1);
    world.clean_up().await;
}

#[tokio::test]
async fn a_process_that_disagrees_learns_both_layouts_and_changes_nothing() {
    let world = World::new().await;
    world.broker.check_layout().await.unwrap();
    let other = connect(&redis_url(), &world.prefix, 3, DEADLINE).await;
    let error = other.check_layout().await.unwrap_err();
    assert!(!error.is_retryable());
    let BrokerError::Layout { configured, recorded } = error else { panic!("{error:?}") };
    assert_eq!(recorded, world.broker.keys().partitions().layout());
    assert_eq!(configured, other.keys().partitions().layout());
    world.broker.check_layout().await.unwrap();
    other.close().await;
    world.clean_up().await;
}
