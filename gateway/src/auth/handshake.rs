//! Where a client's token is looked for.

use std::borrow::Cow;

use serde_json::Value;

use crate::{config::AuthSection, socket::wire::Handshake};

/// The token of a Socket.IO handshake: `auth.token`, then `Authorization: Bearer`, then the configured cookie, then
/// the query's `token`. `auth` is the payload of the CONNECT packet, `cookies` are those of the handshake that count.
pub fn find_token<'a>(
    config: &AuthSection,
    auth: Option<&'a Value>,
    handshake: &'a Handshake,
    cookies: Option<&'a str>,
) -> Option<Cow<'a, str>> {
    let payload = || auth?.get("token")?.as_str().map(without_scheme).map(Cow::Borrowed);
    let header = || handshake.authorization.as_deref().and_then(bearer).map(Cow::Borrowed);
    let cookie = || cookie(cookies?, config.token_cookie.as_deref()?).map(Cow::Borrowed);
    let sources: [&dyn Fn() -> Option<Cow<'a, str>>; 4] =
        [&payload, &header, &cookie, &|| query(&handshake.query)];
    sources.into_iter().filter_map(|source| source()).find(|token| !token.is_empty())
}

/// The token in the value of an `Authorization` header (RFC 6750, 2.1).
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Some clients write the header's value where the token alone belongs.
fn without_scheme(text: &str) -> &str {
    bearer(text).unwrap_or_else(|| text.trim())
}

fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

fn query(query: &str) -> Option<Cow<'_, str>> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "token").map(|(_, token)| token)
}

#[cfg(test)]
mod tests {
    use parlance_chassis::config::{self, Environment, Sources};
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn section() -> AuthSection {
        let environment = [
            ("JWT_SECRET", "a secret of more than thirty-two bytes"),
            ("PARLANCE__AUTH__TOKEN_COOKIE", "jwt"),
        ];
        let sources = Sources::new(None, Environment::from_pairs(environment));
        config::read(&Config::schema(), &sources, AuthSection::read).unwrap()
    }

    fn handshake(authorization: Option<&str>, query: &str) -> Handshake {
        Handshake {
            path: "/socket.io/".into(),
            query: query.into(),
            host: None,
            origin: None,
            user_agent: None,
            authorization: authorization.map(Into::into),
            cookies: None,
            address: None,
        }
    }

    fn found(auth: &Value, handshake: &Handshake, cookies: Option<&str>) -> Option<String> {
        find_token(&section(), Some(auth), handshake, cookies).map(Cow::into_owned)
    }

    #[test]
    fn the_first_place_with_a_token_counts() {
        let (everywhere, cookies) =
            (handshake(Some("Bearer header"), "EIO=4&token=query"), Some("a=b; jwt=cookie"));
        assert_eq!(found(&json!({"token": "payload"}), &everywhere, cookies).as_deref(), Some("payload"));
        assert_eq!(found(&json!({"token": ""}), &everywhere, cookies).as_deref(), Some("header"));
        let less = handshake(Some("Basic eA=="), "token=query");
        assert_eq!(
            found(&json!({"token": null}), &less, Some("a=b; jwt=\"cookie\"")).as_deref(),
            Some("cookie")
        );
        let least = handshake(None, "EIO=4&token=a%2Eb");
        assert_eq!(found(&json!(7), &least, Some("xjwt=1; jwt=")).as_deref(), Some("a.b"));
        assert_eq!(found(&json!({}), &handshake(None, "EIO=4"), None), None);
        assert_eq!(find_token(&section(), None, &handshake(None, "token="), None), None);
    }

    #[test]
    fn a_cookie_that_does_not_count_is_passed_over() {
        let cookies = Some("jwt=cookie".into());
        let handshake = Handshake { cookies, ..handshake(None, "token=query") };
        assert_eq!(found(&json!({}), &handshake, None).as_deref(), Some("query"));
    }

    #[test]
    fn a_scheme_before_the_token_of_the_payload_is_passed_over() {
        let nothing = handshake(None, "");
        assert_eq!(found(&json!({"token": "Bearer a.b.c"}), &nothing, None).as_deref(), Some("a.b.c"));
        assert_eq!(found(&json!({"token": " a.b.c "}), &nothing, None).as_deref(), Some("a.b.c"));
    }
}
