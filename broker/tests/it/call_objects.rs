//! A call's whole state, from its id alone.

use parlance_broker::append::{Append, Appended, Object, Once};
use parlance_domain::{
    call::{Call, CallBody, CallParticipantBody, CallStatus, CallType},
    event::EventKind,
    id::{CallId, ClientId, ConversationId, UserId},
    user::Profile,
    version::Version,
};

use crate::world::{KEEP, World, conversation, now};

fn profile(id: &str) -> Profile {
    Profile::unknown(UserId::new(id).unwrap())
}

fn new_id(world: &World, conversation: &ConversationId) -> CallId {
    CallId::new(1, rand::random(), world.broker.keys().partitions().of(conversation.as_str()).0)
}

fn event(
    world: &World,
    conversation: &ConversationId,
    kind: EventKind,
    body: &CallBody,
    expected: Option<Version>,
) -> Append {
    let text = serde_json::to_string(body).unwrap();
    let attempt = ClientId::new(format!("{:016x}", rand::random::<u64>())).unwrap();
    let key = world.broker.keys().once(kind.as_str(), conversation, &body.started_by.id, &attempt);
    Append {
        conversation: conversation.clone(),
        kind,
        object: Some(Object::of_call(body.id, expected, kind, &text)),
        body: text,
        origin: None,
        trace: None,
        acl: None,
        once: Once { key, keep: KEEP, mark: body.id.to_string() },
    }
}

#[tokio::test]
async fn a_call_is_found_in_the_state_after_each_of_its_events() {
    let world = World::new().await;
    let room = conversation("c");
    let id = new_id(&world, &room);
    let body = CallBody::start(id, CallType::default(), profile("a"));
    let header = now(world.append(&event(&world, &room, EventKind::CallStarted, &body, None)).await);
    let ringing = Call::after(room.clone(), &header, body);
    assert_eq!(world.broker.call(id).await.unwrap().as_ref(), Some(&ringing));

    let mut body = ringing.body();
    body.status = CallStatus::Ongoing;
    body.participants.push(CallParticipantBody { user: profile("b"), joined_at_ms: None });
    let answer = event(&world, &room, EventKind::CallAnswered, &body, Some(ringing.version));
    let header = now(world.append(&answer).await);
    let ongoing = Call::after(room.clone(), &header, body);
    assert_eq!(world.broker.call(id).await.unwrap().as_ref(), Some(&ongoing));
    assert_eq!(ongoing.answered_at, Some(header.at));

    let body = CallBody { status: CallStatus::Ended, ..ringing.body() };
    let late = event(&world, &room, EventKind::CallEnded, &body, Some(ringing.version));
    assert_eq!(world.append(&late).await, Appended::Stale, "it was decided on a state that is over");
    assert_eq!(world.broker.call(id).await.unwrap(), Some(ongoing));
    world.clean_up().await;
}

#[tokio::test]
async fn what_is_no_call_is_none() {
    let world = World::new().await;
    let room = conversation("c");
    let message = world.message(&room, "1");
    now(world.append(&message).await);
    let of_message: CallId = message.object.unwrap().id.to_string().parse().unwrap();
    let invented = CallId::new(1, [9; 8], 60_000);
    for id in [of_message, invented, new_id(&world, &room)] {
        assert_eq!(world.broker.call(id).await.unwrap(), None);
    }
    world.clean_up().await;
}
