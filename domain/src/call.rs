//! Calls: a record of who rang whom in a conversation, when, and how it ended. The media themselves go between the
//! clients; signals are only relayed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    entry::Header,
    event::EventKind,
    id::{CallId, ConversationId, UserId},
    rejection::Rejection,
    time::Timestamp,
    user::Profile,
    version::Version,
};

/// The longest word for the type of a call, in bytes.
pub const MAX_CALL_TYPE_BYTES: usize = 32;
/// How many people one call has.
pub const MAX_CALL_PARTICIPANTS: usize = 100;
/// The largest signal, in bytes of its JSON.
pub const MAX_SIGNAL_BYTES: usize = 64 * 1024;

/// What kind of call: `audio`, `video`, or the application's own word, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallType(String);

impl CallType {
    /// Takes a word of letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// `invalid_payload`.
    pub fn new(word: &str) -> Result<Self, Rejection> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if word.is_empty() || word.len() > MAX_CALL_TYPE_BYTES || !word.chars().all(allowed) {
            return Err(Rejection::invalid("type", "is no word of at most 32 letters, digits, _ -"));
        }
        Ok(Self(word.to_ascii_lowercase()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CallType {
    fn default() -> Self {
        Self("audio".to_owned())
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Nobody has answered yet.
    Ringing,
    /// Somebody has.
    Ongoing,
    /// It is over.
    Ended,
    /// It rang, and nobody answered in time.
    Missed,
}

impl CallStatus {
    /// Every status.
    pub const ALL: &[CallStatus] =
        &[CallStatus::Ringing, CallStatus::Ongoing, CallStatus::Ended, CallStatus::Missed];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            CallStatus::Ringing => "ringing",
            CallStatus::Ongoing => "ongoing",
            CallStatus::Ended => "ended",
            CallStatus::Missed => "missed",
        }
    }

    /// The status with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == word)
    }

    /// Whether nothing can happen to the call any more.
    pub fn is_over(self) -> bool {
        matches!(self, CallStatus::Ended | CallStatus::Missed)
    }
}

/// Somebody in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallParticipant {
    /// Who.
    pub user: Profile,
    /// Since when: the start for who rang, the answer for the others.
    pub joined_at: Timestamp,
}

/// A call in the state after one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Where.
    pub conversation: ConversationId,
    /// What kind.
    pub kind: CallType,
    /// Where it stands.
    pub status: CallStatus,
    /// Who rang.
    pub started_by: Profile,
    /// When.
    pub started_at: Timestamp,
    /// When it was answered first.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it; nobody when it was missed.
    pub ended_by: Option<UserId>,
    /// Who rang and who answered, in that order.
    pub participants: Vec<CallParticipant>,
    /// The event that this is the state after.
    pub version: Version,
}

/// A call on its way through Redis. A time that is missing is that of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallBody {
    /// See [`Call::id`].
    pub id: CallId,
    /// See [`Call::kind`].
    #[serde(rename = "type")]
    pub kind: CallType,
    /// See [`Call::status`].
    pub status: CallStatus,
    /// See [`Call::started_by`].
    pub started_by: Profile,
    /// See [`Call::started_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// See [`Call::answered_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at_ms: Option<i64>,
    /// See [`Call::ended_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<UserId>,
    /// See [`Call::participants`].
    pub participants: Vec<CallParticipantBody>,
}

/// See [`CallParticipant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallParticipantBody {
    /// See [`CallParticipant::user`].
    pub user: Profile,
    /// See [`CallParticipant::joined_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at_ms: Option<i64>,
}

impl CallBody {
    /// A call that begins to ring.
    pub fn start(id: CallId, kind: CallType, by: Profile) -> Self {
        Self {
            id,
            kind,
            status: CallStatus::Ringing,
            started_by: by.clone(),
            started_at_ms: None,
            answered_at_ms: None,
            ended_by: None,
            participants: vec![CallParticipantBody { user: by, joined_at_ms: None }],
        }
    }
}

impl Call {
    /// The call after the event with this header.
    pub fn after(conversation: ConversationId, header: &Header, body: CallBody) -> Self {
        let time = |ms: Option<i64>| ms.map_or(header.at, Timestamp);
        let answered = body.answered_at_ms.map(Timestamp);
        let participants = body.participants.into_iter();
        Self {
            id: body.id,
            conversation,
            kind: body.kind,
            status: body.status,
            started_by: body.started_by,
            started_at: time(body.started_at_ms),
            answered_at: answered.or((header.kind == EventKind::CallAnswered).then_some(header.at)),
            ended_at: (header.kind == EventKind::CallEnded).then_some(header.at),
            ended_by: body.ended_by,
            participants: participants
                .map(|one| CallParticipant { user: one.user, joined_at: time(one.joined_at_ms) })
                .collect(),
            version: header.version,
        }
    }

    /// The same, as the base of a change.
    pub fn body(&self) -> CallBody {
        let participants = self.participants.iter();
        CallBody {
            id: self.id,
            kind: self.kind.clone(),
            status: self.status,
            started_by: self.started_by.clone(),
            started_at_ms: Some(self.started_at.0),
            answered_at_ms: self.answered_at.map(|at| at.0),
            ended_by: self.ended_by.clone(),
            participants: participants
                .map(|one| CallParticipantBody {
                    user: one.user.clone(),
                    joined_at_ms: Some(one.joined_at.0),
                })
                .collect(),
        }
    }

    /// Who joined last of those who answered.
    pub fn answered_by(&self) -> Option<&UserId> {
        Some(&self.participants.get(1..)?.last()?.user.id)
    }

    /// How long people talked, in milliseconds: from the first answer to the end; 0 when nobody answered.
    pub fn duration_ms(&self) -> Option<i64> {
        let ended = self.ended_at?;
        Some(self.answered_at.map_or(0, |answered| (ended.0 - answered.0).max(0)))
    }

    /// The canonical view.
    pub fn view(&self) -> Value {
        let participant = |one: &CallParticipant| json!({"userId": one.user.id, "user": one.user, "joinedAt": one.joined_at});
        json!({
            "id": self.id,
            "conversationId": self.conversation,
            "type": self.kind,
            "status": self.status,
            "startedBy": self.started_by.id,
            "caller": self.started_by,
            "startedAt": self.started_at,
            "answeredAt": self.answered_at,
            "answeredBy": self.answered_by(),
            "endedAt": self.ended_at,
            "endedBy": self.ended_by,
            "durationMs": self.duration_ms(),
            "participants": self.participants.iter().map(participant).collect::<Vec<_>>(),
            "offset": self.version.rev,
            "epoch": self.version.epoch,
        })
    }
}

/// `call.signal`: what one client of a call says to another, opaque to everybody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallSignal {
    /// Of which call.
    pub call: CallId,
    /// Where.
    pub conversation: ConversationId,
    /// Who says it.
    pub from: Profile,
    /// What: an offer, an answer or a candidate of WebRTC.
    pub payload: Value,
}

impl CallSignal {
    /// The canonical view.
    pub fn view(&self) -> Value {
        json!({
            "callId": self.call,
            "conversationId": self.conversation,
            "userId": self.from.id,
            "user": self.from,
            "payload": self.payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(id: &str) -> Profile {
        Profile::unknown(UserId::new(id).unwrap())
    }

    fn header(kind: EventKind, rev: u64, at: i64) -> Header {
        Header { version: Version::new(1, rev), ..Header::transient(kind, Timestamp(at), None) }
    }

    #[test]
    fn the_times_of_a_call_are_those_of_its_events() {
        let conversation = ConversationId::new("c").unwrap();
        let id = CallId::new(1, [0; 8], 0);
        let start = CallBody::start(id, CallType::default(), profile("a"));
        let ringing = Call::after(conversation.clone(), &header(EventKind::CallStarted, 1, 1_000), start);
        assert_eq!((ringing.started_at, ringing.answered_at), (Timestamp(1_000), None));

        let mut answer = ringing.body();
        answer.status = CallStatus::Ongoing;
        answer.participants.push(CallParticipantBody { user: profile("b"), joined_at_ms: None });
        let ongoing = Call::after(conversation.clone(), &header(EventKind::CallAnswered, 2, 3_000), answer);
        assert_eq!(ongoing.answered_at, Some(Timestamp(3_000)));
        assert_eq!(ongoing.participants[1].joined_at, Timestamp(3_000));
        assert_eq!((ringing.answered_by(), ongoing.answered_by()), (None, Some(&profile("b").id)));

        let ended = CallBody { status: CallStatus::Ended, ..ongoing.body() };
        let ended = Call::after(conversation, &header(EventKind::CallEnded, 3, 8_000), ended);
        assert_eq!(ended.started_at, Timestamp(1_000));
        assert_eq!(ended.duration_ms(), Some(5_000));
        assert_eq!(ended.view()["status"], "ended");
    }

    #[test]
    fn a_type_is_lower_case() {
        assert_eq!(CallType::new("VIDEO").unwrap().as_str(), "video");
        assert!(CallType::new("a b").is_err());
    }
}
