//! From an event of a socket to a command, in the order in which the socket sent them.
//!
//! socketioxide runs every handler as a task of its own, so two events could overtake each other. Its extractors
//! run before that, in the order of arrival: this one puts the event in the socket's queue, and the handler itself
//! does nothing. One task at a time carries a socket's events out; an idle socket has none.

use std::{convert::Infallible, sync::Arc, time::Duration};

use parlance_domain::{
    command::Command,
    rejection::{Code, Rejection},
};
use serde_json::Value;
use socketioxide::{handler::FromMessageParts, socket::Socket};
use socketioxide_core::Value as Packet;

use super::{
    cluster::{AckSender, Adapter, SocketRef},
    connect::opened,
    identify,
    session::{Acknowledgement, Inbound, Session, Stranger},
    wire::{Owed, Wire},
};
use crate::{
    app::App,
    command::{self, Actor, Answer},
    dialect::{Call, Context, Decoded, view::reply},
    limits::{Limit, rate_limited},
};

/// How long after the last read the engine may still come with events. One that comes for a socket that is disconnected
/// already would end the transport before the DISCONNECT has left it.
const READ_AHEAD: Duration = Duration::from_millis(100);

/// What a socket's handlers need: found in its extensions, so that the handlers hold nothing.
#[derive(Clone)]
pub struct Connected {
    /// The gateway.
    pub app: App,
    /// Whose socket it is.
    pub seat: Seat,
}

/// Whose a socket is.
#[derive(Clone)]
pub enum Seat {
    /// A user's.
    Session(Arc<Session>),
    /// Nobody's, before it has said who it is; a user's since.
    Stranger(Arc<Stranger>),
}

impl Seat {
    fn wire(&self) -> &Arc<Wire> {
        match self {
            Self::Session(session) => &session.wire,
            Self::Stranger(stranger) => &stranger.wire,
        }
    }
}

/// Takes an event in.
pub struct TakeIn;

impl FromMessageParts<Adapter> for TakeIn {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket<Adapter>>,
        packet: &mut Packet,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        let Some(Connected { app, seat }) = socket.extensions.get::<Connected>() else {
            return Ok(Self);
        };
        if let Seat::Session(session) = &seat {
            opened(&app, session, || SocketRef::from(socket.clone()));
        }
        let ack = ack.map(|id| Acknowledgement { id, sender: ack_sender(socket, packet, ack) });
        let packet = match packet {
            Packet::Str(text, _binary) => text.to_string(),
            Packet::Bytes(_) => String::new(),
        };
        let inbound = Inbound { packet, ack, owed: Owed::by(seat.wire()) };
        match seat {
            Seat::Session(session) => take_in(&app, &session, inbound),
            Seat::Stranger(stranger) => {
                identify::take_in(&app, &stranger, SocketRef::from(socket.clone()), inbound);
            }
        }
        Ok(Self)
    }
}

fn ack_sender(socket: &Arc<Socket<Adapter>>, packet: &mut Packet, ack: &Option<i64>) -> AckSender {
    match AckSender::from_message_parts(socket, packet, ack) {
        Ok(sender) => sender,
        Err(never) => match never {},
    }
}

/// Takes in what a session's socket sends.
pub(super) fn take_in(app: &App, session: &Arc<Session>, inbound: Inbound) {
    if session.is_banned() {
        return;
    }
    if let Err(rejection) = session.admit() {
        // A flood is not even read.
        if inbound.ack.is_none() && session.is_past_telling() {
            session.may_complain();
            return refused(app, session, &rejection);
        }
        return refuse(app, session, inbound, &rejection);
    }
    match session.enqueue(inbound) {
        Err(inbound) => refuse(app, session, inbound, &Rejection::new(Code::Overloaded)),
        Ok(false) => {}
        Ok(true) => {
            let (app_of_task, session) = (app.clone(), session.clone());
            app.lifecycle.spawn_request("socket events", async move {
                while let Some(inbound) = session.dequeue() {
                    carry_out(&app_of_task, &session, inbound).await;
                }
            });
        }
    }
}

/// Answers an event that is not carried out.
fn refuse(app: &App, session: &Arc<Session>, inbound: Inbound, rejection: &Rejection) {
    refused(app, session, rejection);
    match read(&inbound.packet) {
        Some((event, arguments)) => {
            let decoded = decode(session, &event, arguments);
            respond(session, &decoded.call, Err(rejection), inbound.ack);
        }
        None if inbound.ack.is_some() => {
            let nameless = decode(session, "", Vec::new()).call;
            respond(session, &nameless, Err(rejection), inbound.ack);
        }
        None if session.may_complain() => {
            session.dialect.error(rejection).iter().for_each(|frame| session.emit(frame));
        }
        None => {}
    }
}

pub(super) async fn carry_out(app: &App, session: &Arc<Session>, inbound: Inbound) {
    let Some((event, arguments)) = read(&inbound.packet) else {
        let rejection =
            Rejection::with(Code::InvalidPayload, "the event is no list that begins with its name");
        return refuse(app, session, inbound, &rejection);
    };
    let decoded = decode(session, &event, arguments);
    let (call, ack, owed) = (decoded.call, inbound.ack, inbound.owed);
    let allowed = decoded.command.and_then(|command| match within_quota(app, session, &call) {
        Ok(()) => Ok(Some(command)),
        Err(_) if matches!(command, Command::Typing(..)) => Ok(None),
        Err(wait) => {
            Limit::Quota.count();
            Err(rate_limited(wait))
        }
    });
    match allowed {
        Err(rejection) => {
            refused(app, session, &rejection);
            respond(session, &call, Err(&rejection), ack);
        }
        // Nobody misses one more sign that somebody types, and an error would be news to no one.
        Ok(None) => {
            Limit::Typing.count();
            respond(session, &call, Ok(&reply::nothing()), ack);
        }
        Ok(Some(command)) => {
            let (app_of_answer, answering) = (app.clone(), session.clone());
            let answer: Answer = Box::new(move |outcome| {
                if let Err(rejection) = &outcome {
                    note_abuse(&app_of_answer, &answering, rejection);
                }
                respond(&answering, &call, outcome.as_ref(), ack);
                drop(owed);
            });
            command::apply(app, &Actor::socket(session), command, answer).await;
        }
    }
}

fn decode(session: &Session, event: &str, arguments: Vec<Value>) -> Decoded {
    let context = Context { conversation: session.implied_conversation(), user: Some(&session.user) };
    session.dialect.decode(event, arguments, context)
}

/// # Errors
/// The time after which the user may send this event again.
fn within_quota(app: &App, session: &Session, call: &Call) -> Result<(), Duration> {
    let Some(quota) = session.dialect.quota_of(call.event()) else { return Ok(()) };
    app.limits.event(&session.dialect, quota, &session.user)
}

/// The event's name and its arguments.
pub(super) fn read(packet: &str) -> Option<(String, Vec<Value>)> {
    let mut arguments: Vec<Value> = serde_json::from_str(packet).ok()?;
    if arguments.is_empty() {
        return None;
    }
    match arguments.remove(0) {
        Value::String(event) => Some((event, arguments)),
        _ => None,
    }
}

fn respond(
    session: &Arc<Session>,
    call: &Call,
    outcome: Result<&Value, &Rejection>,
    ack: Option<Acknowledgement>,
) {
    let answer = session.dialect.answer(call, outcome, ack.is_some());
    if let (Some(ack), Some(payload)) = (ack, &answer.ack) {
        session.acknowledge(ack, payload);
    }
    if outcome.is_err() && !answer.emits.is_empty() && !session.may_complain() {
        return;
    }
    for frame in &answer.emits {
        session.emit(frame);
    }
}

/// Counts an event that did not become a command.
fn refused(app: &App, session: &Arc<Session>, rejection: &Rejection) {
    note_abuse(app, session, rejection);
    metrics::counter!(crate::metrics::EVENTS_REFUSED.name, "code" => rejection.code.as_str()).increment(1);
}

/// Notes what a client has to mend itself. That the server is busy, or that something is not there or not allowed, is
/// nothing that it does wrong by sending it often.
fn note_abuse(app: &App, session: &Arc<Session>, rejection: &Rejection) {
    let mends_itself =
        matches!(rejection.code, Code::RateLimited | Code::UnknownEvent | Code::InvalidPayload);
    if mends_itself && session.refused() {
        let banned = session.clone();
        app.lifecycle.spawn_request("disconnect of an abusive socket", async move {
            tokio::time::sleep(READ_AHEAD).await;
            banned.disconnect();
        });
    }
}
