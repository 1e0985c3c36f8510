//! Reading beside a socket's other commands: a slow query does not hold up what is sent after it.

use std::future::Future;

use parlance_domain::rejection::{Code, Rejection};
use serde_json::Value;

use super::{Actor, Answer};
use crate::app::App;

/// Runs a query, of which a socket has only so many at once, and answers with what it finds.
pub(super) fn beside<F>(app: &App, actor: &Actor, query: F, answer: Answer)
where
    F: Future<Output = Result<Value, Rejection>> + Send + 'static,
{
    let permit = match &actor.socket {
        Some(socket) => match socket.queries.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                let text = "too many queries of this socket at once";
                return answer(Err(Rejection::with(Code::Overloaded, text)));
            }
        },
        None => None,
    };
    app.lifecycle.spawn_request("query", async move {
        let found = query.await;
        drop(permit);
        answer(found);
    });
}
