//! One request to a route: who asks, whether he may so often, what he asks for, and the body that answers it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{Method, header, request::Parts},
};
use parlance_domain::{
    command::{Command, CommandName},
    id::UserId,
    rejection::{Code, Rejection},
};
use serde_json::{Value, value::RawValue};

use super::{Repeated, argument, files};
use crate::{
    app::App,
    command::{self, Actor},
    dialect::{Access, Context, Dialect, FoundRoute, Requested, Route, conversation_of, take_part},
    limits::{Limit, rate_limited},
    rest::{MAX_BODY_BYTES, caller::Caller, problem::Problem, uploads},
    socket::wire::client_address,
    uploads::{Slot, UploadError},
    web::is_encoded,
};

/// A request without its body.
pub(super) struct Asked {
    pub(super) app: App,
    pub(super) actor: Actor,
    dialect: Arc<Dialect>,
    route: Arc<Route>,
    path: Value,
    query: Value,
}

/// Carries a request out. `repeated` gets the fields that the answer repeats, as soon as they are known.
///
/// # Errors
/// Why it was not carried out, not yet in the dialect's words.
pub(super) async fn carried_out(
    app: &App,
    found: &FoundRoute,
    request: Request,
    repeated: &mut Repeated,
) -> Result<String, Problem> {
    let (mut parts, body) = request.into_parts();
    if is_encoded(&parts.headers) {
        return Err(Problem::ENCODED);
    }
    let FoundRoute { dialect, route, .. } = found;
    if route.access() == Access::Public {
        return Box::pin(for_everybody(app, found, &parts)).await;
    }
    let caller = Caller::in_dialect(&mut parts, app, dialect).await?;
    let himself = match &caller {
        Caller::User(identity) => Some(identity.user.id.clone()),
        Caller::Backend(_) => None,
    };
    let actor = actor(app, caller, route, parts.method != Method::GET).await?;
    let actor = actor.by_route_of(Arc::clone(dialect));
    if route.command().is_none() {
        within_quota(app, dialect, route, himself.as_ref())?;
        let upload =
            uploads::take_in(app, &actor, uploads::Unknown::Ignored, Request::from_parts(parts, body))
                .await?;
        return Ok(text(dialect.answer_route(route, repeated, &upload.view())));
    }
    let asked = Asked::new(app, found, actor, &parts)?;
    // Commands have large states.
    Box::pin(asked.commanded(parts, body, himself, repeated)).await
}

/// What is the same for whoever asks.
async fn for_everybody(app: &App, found: &FoundRoute, parts: &Parts) -> Result<String, Problem> {
    let trusted_hops = app.config.server.trusted_hops;
    app.limits.stranger(client_address(&parts.headers, &parts.extensions, trusted_hops))?;
    let actor = Actor::service(None).by_route_of(Arc::clone(&found.dialect));
    let asked = Asked::new(app, found, actor, parts)?;
    let find = Box::pin(async {
        let Requested { repeated, command } = asked.decode(Value::Null)?;
        let reply = command::call(app, &asked.actor, command?).await?;
        Ok(asked.answer(&repeated, &reply))
    });
    match found.route.remembered() {
        Some(remembered) => remembered.get_or(find).await,
        None => find.await,
    }
}

/// Who acts.
async fn actor(app: &App, caller: Caller, route: &Route, writes: bool) -> Result<Actor, Problem> {
    let is_ones_own = route.access() == Access::Participant && matches!(caller, Caller::User(_));
    if route.command().is_some_and(CommandName::is_for_backends) && !is_ones_own {
        return Ok(caller.administrator()?);
    }
    match caller {
        Caller::User(_) if route.access() == Access::Service => {
            Err(Rejection::with(Code::Forbidden, "this needs a service key").into())
        }
        Caller::User(identity) if writes => Ok(Actor::user(app.completed(identity).await)),
        other => Ok(other.actor(app).await?),
    }
}

/// # Errors
/// `rate_limited` when a user asks too often with a token of his own.
fn within_quota(
    app: &App,
    dialect: &Dialect,
    route: &Route,
    himself: Option<&UserId>,
) -> Result<(), Rejection> {
    let (Some(quota), Some(user)) = (route.quota(), himself) else { return Ok(()) };
    app.limits.event(dialect, quota, user).map_err(|wait| {
        Limit::Quota.count();
        rate_limited(wait)
    })
}

impl Asked {
    fn new(app: &App, found: &FoundRoute, actor: Actor, parts: &Parts) -> Result<Self, Rejection> {
        Ok(Self {
            app: app.clone(),
            actor,
            dialect: Arc::clone(&found.dialect),
            route: Arc::clone(&found.route),
            path: argument::path(&found.parameters)?,
            query: argument::query(&parts.uri)?,
        })
    }

    async fn commanded(
        self,
        parts: Parts,
        body: Body,
        himself: Option<UserId>,
        repeated: &mut Repeated,
    ) -> Result<String, Problem> {
        let (slot, body) = self.slot_for_large(&parts, body).await?;
        let mut body = match parts.method {
            Method::GET | Method::HEAD => Value::Null,
            _ => argument::body(&parts.headers, body, self.most(slot.is_some())).await?,
        };
        let taken = self.route.take_uploads(&mut body);
        // The command that is sent has the files in it; until they are stored, this one tells whether they are wanted.
        let with_files = (!taken.is_empty()).then(|| body.clone());
        let requested = self.decode(body)?;
        *repeated = requested.repeated;
        let mut command = requested.command?;
        within_quota(&self.app, &self.dialect, &self.route, himself.as_ref())?;
        let Some(body) = with_files else {
            let actor = self.participant(&mut command).await?;
            let reply = command::call(&self.app, &actor, command).await?;
            return Ok(self.answer(repeated, &reply));
        };
        let slot = match slot {
            Some(slot) => slot,
            None => self.app.uploads.slot(&self.actor.profile()?.id)?,
        };
        let (reply, asked) = files::with_files(self, Arc::new(slot), &command, body, taken).await?;
        Ok(asked.answer(repeated, &reply))
    }

    /// Who carries the command out: what a route lets participants do is done as a backend would, for one who takes part.
    async fn participant(&self, command: &mut Command) -> Result<Actor, Rejection> {
        let actor = self.actor.clone();
        if actor.service || self.route.access() != Access::Participant {
            return Ok(actor);
        }
        match conversation_of(command) {
            None => return Ok(actor),
            Some(None) => take_part(command, &actor.profile()?.id),
            Some(Some(conversation)) => {
                self.app.membership.authorize(actor.asker()?, conversation).await?;
            }
        }
        Ok(Actor { service: true, ..actor })
    }

    /// A place for a body that may be larger than others, before it is read: so there are never more of these than files
    /// on their way.
    async fn slot_for_large(&self, parts: &Parts, body: Body) -> Result<(Option<Slot>, Body), Problem> {
        let length =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let is_usual = length.is_some_and(|length: usize| length <= MAX_BODY_BYTES);
        let Some(profile) = self.actor.profile.as_ref().filter(|_| self.route.has_uploads() && !is_usual)
        else {
            return Ok((None, body));
        };
        match self.app.uploads.slot(&profile.id) {
            Ok(slot) => Ok((Some(slot), body)),
            Err(UploadError::Off) => Ok((None, body)),
            Err(error) => {
                uploads::throw_away(body).await;
                Err(error.into())
            }
        }
    }

    fn most(&self, has_slot: bool) -> usize {
        if has_slot { self.route.max_body() } else { self.route.max_body().min(MAX_BODY_BYTES) }
    }

    /// What the request asks for.
    ///
    /// # Errors
    /// `internal` for a route that is no command.
    pub(super) fn decode(&self, body: Value) -> Result<Requested, Rejection> {
        let argument = argument::whole(self.path.clone(), self.query.clone(), body);
        let user = self.actor.profile.as_ref().map(|profile| &profile.id);
        let context = Context { user, ..Context::default() };
        Ok(self.dialect.decode_route(&self.route, argument, context).ok_or(Code::Internal)?)
    }

    fn answer(&self, repeated: &Repeated, reply: &Value) -> String {
        text(self.dialect.answer_route(&self.route, repeated, reply))
    }
}

fn text(json: Box<RawValue>) -> String {
    Box::<str>::from(json).into_string()
}
