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

use super::problem::Problem;
use crate::{
    app::App,
    auth::{Auth, ServiceKeys, bearer},
    command::Actor,
};

const ACT_AS: HeaderName = HeaderName::from_static("x-act-as");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who makes a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A backend, and the user for whom it acts.
    Backend(Option<UserId>),
    /// A user.
    User(Profile),
}

impl Caller {
    /// The actor of a command. A backend's user is known by what backends and tokens said of him before.
    pub(super) async fn actor(self, app: &App) -> Result<Actor, Rejection> {
        match self {
            Caller::User(profile) => Ok(Actor::user(profile)),
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

    /// What tells this caller from every other one, as parts of a hash: a backend's key, a user's id, and for whom.
    pub(super) fn identity<'a>(&'a self, headers: &'a HeaderMap) -> [&'a str; 3] {
        match self {
            Caller::User(profile) => ["user", profile.id.as_str(), ""],
            Caller::Backend(user) => {
                let key = shown(headers).map_or("", |(key, _)| key);
                ["key", key, user.as_ref().map_or("", UserId::as_str)]
            }
        }
    }

    fn read(headers: &HeaderMap, keys: &ServiceKeys, verify: impl Verify) -> Result<Self, Rejection> {
        let (shown, is_key) = shown(headers)?;
        let act_as = single(headers, &ACT_AS)?;
        if keys.check(shown) {
            let user =
                act_as.map(|id| UserId::new(id).map_err(|problem| Rejection::invalid("X-Act-As", problem)));
            return Ok(Caller::Backend(user.transpose()?));
        }
        if is_key {
            return Err(Rejection::with(Code::TokenInvalid, "X-Api-Key is no service key"));
        }
        let profile = verify(shown)?;
        if act_as.is_some() {
            return Err(Rejection::with(Code::Forbidden, "only a service key acts for others"));
        }
        Ok(Caller::User(profile))
    }
}

trait Verify: FnOnce(&str) -> Result<Profile, Rejection> {}
impl<F: FnOnce(&str) -> Result<Profile, Rejection>> Verify for F {}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let auth: &Auth = app.auth();
        let verify = |token: &str| Ok(auth.verify(token, app.clock())?.user);
        Ok(Self::read(&parts.headers, app.service_keys(), verify)?)
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

    fn called(headers: &[(HeaderName, &str)]) -> Result<Caller, Code> {
        let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(name, value(text));
        }
        let verify = |token: &str| match token {
            "token" => Ok(Profile::unknown(user("ann"))),
            _ => Err(Code::TokenInvalid.into()),
        };
        Caller::read(&map, &ServiceKeys::new(&[Secret::new(KEY)]), verify).map_err(|rejection| rejection.code)
    }

    #[test]
    fn a_service_key_acts_for_a_user_or_for_none() {
        let authorization = (header::AUTHORIZATION, &*format!("Bearer {KEY}"));
        assert_eq!(called(std::slice::from_ref(&authorization)), Ok(Caller::Backend(None)));
        let acting = called(&[authorization.clone(), (ACT_AS, "müller")]);
        assert_eq!(acting, Ok(Caller::Backend(Some(user("müller")))));
        assert_eq!(called(&[authorization.clone(), (ACT_AS, "")]), Err(Code::InvalidPayload));
        assert_eq!(called(&[authorization, (ACT_AS, "a"), (ACT_AS, "b")]), Err(Code::InvalidPayload));
    }

    #[test]
    fn a_token_acts_for_its_user_alone() {
        let authorization = (header::AUTHORIZATION, "bearer token");
        assert_eq!(
            called(std::slice::from_ref(&authorization)),
            Ok(Caller::User(Profile::unknown(user("ann"))))
        );
        assert_eq!(called(&[authorization, (ACT_AS, "bob")]), Err(Code::Forbidden));
    }

    #[test]
    fn without_a_token_nobody_is_let_in() {
        assert_eq!(called(&[]), Err(Code::TokenMissing));
        for wrong in ["", "Bearer", "Bearer ", "Basic dG9rZW4=", KEY] {
            assert_eq!(called(&[(header::AUTHORIZATION, wrong)]), Err(Code::TokenMissing), "{wrong:?}");
        }
        assert_eq!(called(&[(header::AUTHORIZATION, "Bearer other")]), Err(Code::TokenInvalid));
    }

    #[test]
    fn a_service_key_can_stand_in_a_header_of_its_own_and_a_token_cannot() {
        let key = (API_KEY, KEY);
        assert_eq!(called(std::slice::from_ref(&key)), Ok(Caller::Backend(None)));
        assert_eq!(called(&[key.clone(), (ACT_AS, "ann")]), Ok(Caller::Backend(Some(user("ann")))));
        let same = (header::AUTHORIZATION, &*format!("Bearer {KEY}"));
        assert_eq!(called(&[key.clone(), same]), Ok(Caller::Backend(None)));
        assert_eq!(called(&[key.clone(), (header::AUTHORIZATION, "Bearer token")]), Err(Code::TokenInvalid));
        assert_eq!(called(&[key.clone(), key]), Err(Code::InvalidPayload));
        assert_eq!(called(&[(API_KEY, "token")]), Err(Code::TokenInvalid));
        let both = [(API_KEY, "token"), (header::AUTHORIZATION, "Bearer token")];
        assert_eq!(called(&both), Err(Code::TokenInvalid));
        assert_eq!(called(&[(API_KEY, "")]), Err(Code::TokenMissing));
    }

    #[test]
    fn only_backends_administer() {
        assert!(Caller::Backend(None).administrator().is_ok_and(|actor| actor.service));
        let refused = Caller::User(Profile::unknown(user("ann"))).administrator().unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
    }
}
