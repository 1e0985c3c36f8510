//! Changes of presence that nobody told the conversations of.

use parlance_domain::presence::Status;

use super::gateway::{
    LONG, SOON, TestGateway, announced, conversation_ear, presence_ear, presences, told, user,
};
use crate::world::World;

#[tokio::test]
async fn a_change_that_its_gateway_did_not_announce_is_announced_to_each_conversation() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect("anna").await;
    for id in ["c1", "c2"] {
        gateway.join("anna", id).await;
    }
    let mut everywhere = presence_ear(&world).await;
    let (mut one, mut two) = (conversation_ear(&world, "c1").await, conversation_ear(&world, "c2").await);
    let transition = gateway.disconnect("anna").await.unwrap();
    let worker = world.start(&SOON).await;
    announced(&world).await;

    for (id, ear) in [("c1", &mut one), ("c2", &mut two)] {
        assert_eq!(told(id, &ear.rest().await), std::slice::from_ref(&transition.presence));
    }
    let heard = presences(&everywhere.rest().await);
    assert!(heard.iter().all(|presence| *presence == transition.presence), "{heard:?}");
    let now = gateway.presences.get(&[user("anna")]).await.unwrap();
    assert_eq!((now[0].status, now[0].connected), (Status::Offline, false));
    worker.stop().await;
    for ear in [everywhere, one, two] {
        ear.end().await;
    }
    world.clean_up().await;
}
