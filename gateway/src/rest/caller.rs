//! Who makes a request: a backend with a service key, for a user or for none, or a user with a token.

use std::str;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
    user::Profile,
};

use super::{limit::counted, problem::Problem};
use crate::{
    app::App,
    auth::{Identity, OwnTokens, ServiceKeys, bearer},
    command::Actor,
    dialect::Dialect,
};

const ACT_AS: HeaderName = HeaderName::from_static("x-act-as");
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who makes a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A backend, and the user for whom it acts.
    Backend(Option<UserId>),
    /// A user.
    User(Identity),
}

/// What a request shows of who makes it.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    /// A service key, and the user for whom it acts.
    Key(Option<UserId>),
    /// What must be a user's token.
    Token(&'a str),
}

impl Caller {
    /// The actor of a command. A backend's user is known by what backends and tokens said of him before.
    pub(super) async fn actor(self, app: &App) -> Result<Actor, Rejection> {
        match self {
            Caller::User(identity) => Ok(Actor::user(identity)),
            Caller::Backend(None) => Ok(Actor::service(None)),
            Caller::Backend(Some(user)) => Ok(Actor::service(Some(app.profile_of(user).await?))),
        }
    }

    /// The actor of a command that has nothing to do with whom a backend acts for.
    pub(super) fn administrator(self) -> Result<Actor, Rejection> {
        match self {
            Caller::Backend(_) => Ok(Actor::service(None)),
            Caller::User(_) => Err(Rejection::with(Code::Forbidden, "this needs a service key")),
        }
    }

    /// The user himself, or a backend that acts for him or for none, as that user.
    ///
    /// # Errors
    /// `forbidden` for anybody else.
    pub(super) fn owner(self, user: UserId) -> Result<Actor, Rejection> {
        match self {
            Caller::User(identity) if identity.user.id == user => Ok(Actor::user(identity)),
            // Who he is to others does not matter to what is his own.
            Caller::Backend(acting) if acting.as_ref().is_none_or(|acting| *acting == user) => {
                Ok(Actor::service(Some(Profile::unknown(user))))
            }
            Caller::User(_) | Caller::Backend(_) => {
                Err(Rejection::with(Code::Forbidden, "this belongs to another user"))
            }
        }
    }

    /// Who makes a request to a route of a dialect, whose tokens may be others than the gateway's. Counts the request, like
    /// the extractor does.
    pub(super) async fn in_dialect(parts: &mut Parts, app: &App, dialect: &Dialect) -> Result<Self, Problem> {
        let caller = Self::of(&parts.headers, app, dialect.tokens()).await;
        counted(app, parts, caller)
    }

    async fn of(headers: &HeaderMap, app: &App, own: &OwnTokens) -> Result<Self, Rejection> {
        let token = match Shown::read(headers, app.service_keys())? {
            Shown::Key(user) => return Ok(Caller::Backend(user)),
            Shown::Token(token) => token,
        };
        let identity = app.identify(token, own).await?;
        if headers.contains_key(&ACT_AS) {
            return Err(Rejection::with(Code::Forbidden, "only a service key acts for others"));
        }
        Ok(Caller::User(identity))
    }

    /// What tells this caller from every other one, as parts of a hash: a backend's key, a user's id, and for whom.
    pub(super) fn identity<'a>(&'a self, headers: &'a HeaderMap) -> [&'a str; 3] {
        match self {
            Caller::User(identity) => ["user", identity.user.id.as_str(), ""],
            Caller::Backend(user) => {
                let key = shown(headers).map_or("", |(key, _)| key);
                ["key", key, user.as_ref().map_or("", UserId::as_str)]
            }
        }
    }
}

impl<'a> Shown<'a> {
    /// # Errors
    /// `token_invalid` when it should be a service key and is none; see [`shown`].
    fn read(headers: &'a HeaderMap, keys: &ServiceKeys) -> Result<Self, Rejection> {
        let (shown, is_key) = shown(headers)?;
        let act_as = single(headers, &ACT_AS)?;
        if keys.check(shown) {
            let user =
                act_as.map(|id| UserId::new(id).map_err(|problem| Rejection::invalid("X-Act-As", problem)));
            return Ok(Self::Key(user.transpose()?));
        }
        if is_key {
            return Err(Rejection::with(Code::TokenInvalid, "X-Api-Key is no service key"));
        }
        Ok(Self::Token(shown))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Self::of(&parts.headers, app, &OwnTokens::default()).await;
        counted(app, parts, caller)
    }
}

/// The key or token of a request, and whether it can only be a key.
///
/// # Errors
/// `token_missing` when there is none; `invalid_payload` when there are two.
fn shown(headers: &HeaderMap) -> Result<(&str, bool), Rejection> {
    let key = single(headers, &API_KEY)?.filter(|key| !key.is_empty());
    let Some(authorization) = single(headers, &header::AUTHORIZATION)? else {
        return Ok((key.ok_or(Code::TokenMissing)?, true));
    };
    let token = bearer(authorization).filter(|token| !token.is_empty()).ok_or_else(|| {
        Rejection::with(Code::TokenMissing, "Authorization is not of the form: Bearer <key or token>")
    })?;
    match key {
        Some(key) if key != token => {
            Err(Rejection::with(Code::TokenInvalid, "X-Api-Key and Authorization are different"))
        }
        key => Ok((token, key.is_some())),
    }
}

/// A header that may be there once. Ids may have any characters, so its value is UTF-8.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| str::from_utf8(value.as_bytes()));
    match (first.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        (Err(_), _) => Err(Rejection::invalid(name.as_str(), "is no UTF-8")),
        (_, Some(_)) => Err(Rejection::invalid(name.as_str(), "is there more than once")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use parlance_chassis::secret::Secret;

    use super::*;

    const KEY: &str = "a-service-key-of-some-length";

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn called(headers: &[(HeaderName, &str)]) -> Result<Option<UserId>, Code> {
        let map = map(headers);
        match Shown::read(&map, &ServiceKeys::new(&[Secret::new(KEY)])) {
            Ok(Shown::Key(user)) => Ok(user),
            Ok(Shown::Token(token)) => panic!("{token} is taken for a token"),
            Err(rejection) => Err(rejection.code),
        }
    }

    fn map(headers: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(name, value(text));
        }
        map
    }

    /// What is taken for a token.
    fn token(headers: &[(HeaderName, &str)]) -> Result<String, Code> {
        let map = map(headers);
        match Shown::read(&map, &ServiceKeys::new(&[Secret::new(KEY)])) {
            Ok(Shown::Key(_)) => panic!("it is a service key"),
            Ok(Shown::Token(token)) => Ok(token.to_owned()),
            Err(rejection) => Err(rejection.code),
        }
    }

    #[test]
    fn a_service_key_acts_for_a_user_or_for_none() {
        let authorization = (header::AUTHORIZATION, &*format!("Bearer {KEY}"));
        assert_eq!(called(std::slice::from_ref(&authorization)), Ok(None));
        let acting = called(&[authorization.clone(), (ACT_AS, "müller")]);
        assert_eq!(acting, Ok(Some(user("müller"))));
        assert_eq!(called(&[authorization.clone(), (ACT_AS, "")]), Err(Code::InvalidPayload));
        assert_eq!(called(&[authorization, (ACT_AS, "a"), (ACT_AS, "b")]), Err(Code::InvalidPayload));
    }

    #[test]
    fn without_a_token_nobody_is_let_in() {
        assert_eq!(called(&[]), Err(Code::TokenMissing));
        for wrong in ["", "Bearer", "Bearer ", "Basic dG9rZW4=", KEY] {
            assert_eq!(called(&[(header::AUTHORIZATION, wrong)]), Err(Code::TokenMissing), "{wrong:?}");
        }
        assert_eq!(token(&[(header::AUTHORIZATION, "bearer token")]).as_deref(), Ok("token"));
    }

    #[test]
    fn a_service_key_can_stand_in_a_header_of_its_own_and_a_token_cannot() {
        let key = (API_KEY, KEY);
        assert_eq!(called(std::slice::from_ref(&key)), Ok(None));
        assert_eq!(called(&[key.clone(), (ACT_AS, "ann")]), Ok(Some(user("ann"))));
        let same = (header::AUTHORIZATION, &*format!("Bearer {KEY}"));
        assert_eq!(called(&[key.clone(), same]), Ok(None));
        assert_eq!(called(&[key.clone(), (header::AUTHORIZATION, "Bearer token")]), Err(Code::TokenInvalid));
        assert_eq!(called(&[key.clone(), key]), Err(Code::InvalidPayload));
        assert_eq!(called(&[(API_KEY, "token")]), Err(Code::TokenInvalid));
        let both = [(API_KEY, "token"), (header::AUTHORIZATION, "Bearer token")];
        assert_eq!(called(&both), Err(Code::TokenInvalid));
        assert_eq!(called(&[(API_KEY, "")]), Err(Code::TokenMissing));
    }

    #[test]
    fn what_is_a_users_own_is_for_him_and_for_backends() {
        let asks = |caller: Caller| caller.owner(user("ann")).map(|actor| actor.profile.unwrap().id);
        assert_eq!(asks(Caller::User(Identity::claimed(user("ann")))), Ok(user("ann")));
        assert_eq!(asks(Caller::Backend(None)), Ok(user("ann")));
        assert_eq!(asks(Caller::Backend(Some(user("ann")))), Ok(user("ann")));
        for other in [Caller::User(Identity::claimed(user("bob"))), Caller::Backend(Some(user("bob")))] {
            assert_eq!(asks(other).unwrap_err().code, Code::Forbidden);
        }
    }

    #[test]
    fn only_backends_administer() {
        assert!(Caller::Backend(None).administrator().is_ok_and(|actor| actor.service));
        let refused = Caller::User(Identity::claimed(user("ann"))).administrator().unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
    }
}
