//! `/try`: a page on which the gateway's dialects can be tried out by hand, if it is switched on. Its files are in the
//! binary; what it needs to know of the dialects is in `/try/dialects.json`.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use parlance_domain::{command::CommandName, rejection::Code};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::{app::App, dialect::Dialect};

/// Where the page is.
pub(super) const PATH: &str = "/try";

/// The page's files are all that it loads, and this gateway all that it talks to.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What has a button on the page.
const COMMANDS: [CommandName; 5] = [
    CommandName::Echo,
    CommandName::ConversationJoin,
    CommandName::MessageSend,
    CommandName::TypingStart,
    CommandName::ReactionToggle,
];

/// For what a handshake can be refused that its user can do something about.
const REFUSALS: [Code; 9] = [
    Code::TokenMissing,
    Code::TokenMalformed,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::TokenRevoked,
    Code::HandshakeIncomplete,
    Code::NotFound,
    Code::NotAParticipant,
    Code::Forbidden,
];

struct File {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($name:literal, $content_type:literal) => {
        File {
            name: $name,
            content_type: concat!($content_type, "; charset=utf-8"),
            text: include_str!(concat!("../../web/try/", $name)),
        }
    };
}

const PAGE: File = file!("index.html", "text/html");

/// What the page loads.
const FILES: [File; 7] = [
    file!("style.css", "text/css"),
    file!("icon.svg", "image/svg+xml"),
    file!("page.js", "text/javascript"),
    file!("pane.js", "text/javascript"),
    file!("log.js", "text/javascript"),
    file!("socket_io.js", "text/javascript"),
    file!("transports.js", "text/javascript"),
];

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/try", get(async || PAGE.into_response()))
        .route("/try/", get(async || Redirect::permanent(PATH)))
        .route("/try/dialects.json", get(dialects))
        .route("/try/{file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Response {
    let found = FILES.into_iter().find(|file| file.name == name);
    found.map_or_else(|| Problem::NO_SUCH_PATH.into_response(), File::into_response)
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, self.content_type), (header::CONTENT_SECURITY_POLICY, POLICY)];
        (headers, self.text).into_response()
    }
}

/// What the page has to know of the dialects that new connections get.
async fn dialects(State(app): State<App>) -> Json<Value> {
    let config = &app.config;
    let dialects = app.dialects.iter().map(|dialect| {
        let needs_no_token = config.auth.insecure_dialects.iter().any(|name| name == dialect.name());
        description(&dialect, needs_no_token)
    });
    Json(json!({ "path": config.server.socket_path.as_str(), "dialects": dialects.collect::<Vec<_>>() }))
}

fn description(dialect: &Dialect, needs_no_token: bool) -> Value {
    let commands = COMMANDS.map(|command| (command.as_str().to_owned(), event(dialect, command)));
    let refusals = REFUSALS.map(|code| (code.as_str().to_owned(), Value::from(dialect.refusal_text(code))));
    json!({
        "name": dialect.name(),
        "namespace": dialect.namespaces().first(),
        "handshake": {
            "conversation": dialect.conversation_place(),
            "user": dialect.user_place().filter(|_| needs_no_token),
        },
        "numbersConversations": dialect.numbers_conversations(),
        "commands": Map::from_iter(commands),
        "messages": dialect.message_places(),
        "refusals": Map::from_iter(refusals),
    })
}

fn event(dialect: &Dialect, command: CommandName) -> Value {
    match dialect.example(command) {
        Some(example) => json!(example),
        None => json!({ "reason": format!("{} has no event for {}", dialect.name(), command.as_str()) }),
    }
}
