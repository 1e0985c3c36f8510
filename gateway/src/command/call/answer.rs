//! `call.answer`: the first who answers makes the call ongoing; others join it.

use parlance_domain::{
    call::{Call, CallBody, CallParticipantBody, CallStatus, MAX_CALL_PARTICIPANTS},
    event::EventKind,
    id::CallId,
    rejection::{Code, Rejection},
    user::Profile,
};

use super::{Actor, Answer, change, not_over};
use crate::app::App;

pub(in super::super) async fn apply(app: &App, actor: &Actor, id: CallId, answer: Answer) {
    let profile = match actor.profile() {
        Ok(profile) => profile.clone(),
        Err(rejection) => return answer(Err(rejection)),
    };
    change(app, actor, id, EventKind::CallAnswered, |call| answered(call, &profile), answer).await;
}

/// # Errors
/// `conflict` when the call is over, the user's own, or has the user already; `limit_reached`.
fn answered(call: &Call, by: &Profile) -> Result<CallBody, Rejection> {
    not_over(call)?;
    if call.started_by.id == by.id {
        return Err(Rejection::with(Code::Conflict, "this is your own call"));
    }
    if call.participants.iter().any(|one| one.user.id == by.id) {
        return Err(Rejection::with(Code::Conflict, "you are in this call already"));
    }
    if call.participants.len() >= MAX_CALL_PARTICIPANTS {
        return Err(Rejection::with(Code::LimitReached, "a call has at most 100 participants"));
    }
    let mut body = call.body();
    body.status = CallStatus::Ongoing;
    body.participants.push(CallParticipantBody { user: by.clone(), joined_at_ms: None });
    Ok(body)
}

#[cfg(test)]
mod tests {
    use parlance_domain::{
        call::CallType,
        entry::Header,
        id::{ConversationId, UserId},
        time::Timestamp,
    };

    use super::*;

    fn profile(id: &str) -> Profile {
        Profile::unknown(UserId::new(id).unwrap())
    }

    fn after(kind: EventKind, body: CallBody) -> Call {
        let header = Header::transient(kind, Timestamp(5), None);
        Call::after(ConversationId::new("c").unwrap(), &header, body)
    }

    fn ringing() -> Call {
        let body = CallBody::start(CallId::new(1, [0; 8], 0), CallType::default(), profile("caller"));
        after(EventKind::CallStarted, body)
    }

    #[test]
    fn a_call_takes_a_hundred_and_no_more() {
        let mut call = ringing();
        for n in 1..MAX_CALL_PARTICIPANTS {
            call = after(EventKind::CallAnswered, answered(&call, &profile(&format!("u{n}"))).unwrap());
        }
        assert_eq!(call.participants.len(), MAX_CALL_PARTICIPANTS);
        let refused = answered(&call, &profile("late")).unwrap_err();
        assert_eq!(refused.code, Code::LimitReached);
        assert_eq!(
            answered(&call, &profile("u1")).unwrap_err().code,
            Code::Conflict,
            "who is in it is told that"
        );
    }

    #[test]
    fn only_others_answer_and_only_once() {
        let call = ringing();
        assert_eq!(answered(&call, &profile("caller")).unwrap_err().message, "this is your own call");
        let call = after(EventKind::CallAnswered, answered(&call, &profile("b")).unwrap());
        assert_eq!((call.status, call.answered_at), (CallStatus::Ongoing, Some(Timestamp(5))));
        assert_eq!(answered(&call, &profile("b")).unwrap_err().message, "you are in this call already");
    }
}
