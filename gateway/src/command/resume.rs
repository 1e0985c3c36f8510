//! `session.resume`: joins several conversations again, each from the last event that the client has of it. What was
//! missed comes before the answer; where that is not known any more, the answer says so and the client reads the history.

use std::sync::{Arc, Mutex, PoisonError};

use parlance_domain::{command::Resume, id::ConversationId, rejection::Rejection};
use serde_json::Value;

use super::{
    Actor, Answer,
    join::{Done, join, own_socket},
};
use crate::{
    app::App,
    dialect::view::reply,
    fanout::{Allowance, Joined, Place},
};

/// What a client is handed of what it missed at the most, in bytes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Gathers what became of each conversation, and answers with the last one.
struct Gathered {
    outcomes: Vec<Option<Value>>,
    missing: usize,
    answer: Option<Answer>,
}

pub(super) async fn apply(app: &App, actor: &Actor, resume: Resume, answer: Answer) {
    let socket = match own_socket(actor) {
        Ok(socket) => socket,
        Err(rejection) => return answer(Err(rejection)),
    };
    let count = resume.conversations.len();
    if count == 0 {
        return answer(Ok(reply::resumed_all(&[])));
    }
    let gathered = Gathered { outcomes: vec![None; count], missing: count, answer: Some(answer) };
    let gathered = Arc::new(Mutex::new(gathered));
    // Half of what a connection may owe: the rest is for what happens meanwhile.
    let allowance = Arc::new(Allowance::new((app.config.socket.slow_reader_bytes / 2).min(MAX_BYTES)));
    for (place, (conversation, version)) in resume.conversations.into_iter().enumerate() {
        let (all, named) = (gathered.clone(), conversation.clone());
        let done: Done = Box::new(move |outcome| {
            let finished = all.lock().unwrap_or_else(PoisonError::into_inner).add(place, &named, &outcome);
            if let Some((answer, reply)) = finished {
                answer(Ok(reply));
            }
        });
        let since = Place { version, allowance: allowance.clone() };
        join(app, socket.clone(), conversation, Some(since), done).await;
    }
}

impl Gathered {
    fn add(
        &mut self,
        place: usize,
        conversation: &ConversationId,
        outcome: &Result<Joined, Rejection>,
    ) -> Option<(Answer, Value)> {
        let outcome = match outcome {
            Ok(now) => Ok((now.recovered, now.heads)),
            Err(rejection) => Err(rejection.code.as_str()),
        };
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(reply::resumed(conversation, outcome));
        }
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        let outcomes: Vec<Value> = std::mem::take(&mut self.outcomes).into_iter().flatten().collect();
        Some((self.answer.take()?, reply::resumed_all(&outcomes)))
    }
}
