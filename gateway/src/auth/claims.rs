//! What the claims of a token mean: whose it is, how others see the user, and from when until when it is valid.

use parlance_domain::{id::UserId, rejection::Rejection, time::Timestamp, user::Profile};
use serde_json::{Map, Number, Value};

use super::{Grants, OwnClaims, invalid};
use crate::{config::AuthSection, membership::Policy};

/// The longest name that is shown; a longer one is cut. In bytes.
const MAX_NAME_BYTES: usize = 256;
/// The longest address of a picture; a longer one is left out. In bytes.
const MAX_AVATAR_BYTES: usize = 2_048;
/// The longest role; a longer one is left out. In bytes.
const MAX_ROLE_BYTES: usize = 64;

/// Where an application's tokens hold what is known of a user.
#[derive(Debug, Clone)]
pub(super) struct ClaimNames {
    user: Vec<String>,
    name: Vec<String>,
    avatar: Vec<String>,
    role: Vec<String>,
    /// Only read when the policy asks tokens.
    conversations: Option<Vec<String>>,
}

/// The claims of a verified token.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// A point in time, in seconds since the Unix epoch there (RFC 7519, 2: NumericDate).
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Rejection> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                let seconds = value.as_f64().ok_or_else(|| invalid("a time of the token is no number"))?;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the cast saturates, and nobody lives that long"
                )]
                let ms = (seconds * 1_000.0) as i64;
                Ok(Some(Timestamp(ms)))
            }
        }
    }

    /// The first of the claims that is there. A claim's name may have dots in it itself, or lead into objects.
    fn first(&self, names: &[String]) -> Option<&Value> {
        let find = |name: &String| self.0.get(name).or_else(|| self.nested(name));
        names.iter().filter_map(find).find(|value| !value.is_null())
    }

    fn nested(&self, path: &str) -> Option<&Value> {
        let mut steps = path.split('.');
        let mut value = self.0.get(steps.next()?)?;
        for step in steps {
            value = value.as_object()?.get(step)?;
        }
        Some(value)
    }

    /// The first of the claims that is a text which can be shown and stored.
    fn first_text(&self, names: &[String]) -> Option<String> {
        let text = self.first(names)?.as_str()?;
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl ClaimNames {
    pub(super) fn new(config: &AuthSection, policy: Policy) -> Self {
        Self {
            conversations: (policy == Policy::Token).then(|| config.conversation_claims.clone()),
            user: config.user_claims.clone(),
            name: config.name_claims.clone(),
            avatar: config.avatar_claims.clone(),
            role: config.role_claims.clone(),
        }
    }

    /// The conversations that the token lets the user use.
    pub(super) fn grants(&self, claims: &Claims) -> Result<Grants, Rejection> {
        let Some(names) = &self.conversations else { return Ok(Grants::default()) };
        claims.first(names).map_or(Ok(Grants::default()), Grants::read)
    }

    /// The user as the token describes him. Without a name he is called by his id. What `own` names is looked for there.
    pub(super) fn profile(&self, claims: &Claims, own: &OwnClaims) -> Result<Profile, Rejection> {
        let user = own.user.as_ref().unwrap_or(&self.user);
        let text = |own: &Option<Vec<String>>, usual| claims.first_text(own.as_ref().unwrap_or(usual));
        let unknown = Profile::unknown(user_id(claims.first(user))?);
        Ok(Profile {
            name: text(&own.name, &self.name).map_or(unknown.name, |name| cut(&name)),
            avatar: text(&own.avatar, &self.avatar).filter(|avatar| avatar.len() <= MAX_AVATAR_BYTES),
            role: text(&own.role, &self.role).filter(|role| role.len() <= MAX_ROLE_BYTES),
            id: unknown.id,
        })
    }
}

fn user_id(claim: Option<&Value>) -> Result<UserId, Rejection> {
    let claim = claim.ok_or_else(|| invalid("the token has no user id"))?;
    let odd = || invalid("the token's user id is neither a text nor a whole number");
    UserId::new(id_text(claim).ok_or_else(odd)?)
        .map_err(|_| invalid("the token's user id is empty, too long, or has a control character"))
}

/// An id as applications write it: a text or a whole number.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if is_whole(number) => Some(number.to_string()),
        _ => None,
    }
}

/// One written with a fraction or an exponent has no spelling of its own.
fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn cut(name: &str) -> String {
    name.get(..name.floor_char_boundary(MAX_NAME_BYTES)).unwrap_or_default().to_owned()
}
