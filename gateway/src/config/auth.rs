//! `[auth]`: whose tokens are believed, what they say, and which backends may act for users.

mod keys;

use std::time::Duration;

use parlance_chassis::{
    config::{Invalid, Problem, Raw, Reader, Setting, parse},
    secret::Secret,
};
use url::Url;

use crate::auth::{Algorithm, PublicKey};
use keys::SigningKeys;

const ISSUER: Setting = Setting::new(
    "auth.issuer",
    "Accepted issuers: a token's `iss` must be one of them. Without any it is not looked at.",
);
const AUDIENCE: Setting = Setting::new(
    "auth.audience",
    "Accepted audiences: a token's `aud` must have one of them. Without any it is not looked at.",
);
const LEEWAY: Setting =
    Setting::new("auth.leeway", "How far the clocks of who signs tokens and of the gateway may be apart.")
        .default("10s");
const REQUIRE_EXP: Setting = Setting::new(
    "auth.require_exp",
    "Whether a token without `exp` is refused. One that is accepted never ends.",
)
.default("true");
const EXPIRY_WARNING: Setting = Setting::new(
    "auth.expiry_warning",
    "How long before the end of its token a socket is told `session.expiring`, so that it can renew.",
)
.default("60s");
const USER_CLAIMS: Setting = Setting::new(
    "auth.user_claims",
    "Claims with the user's id, a text or a whole number; the first that is there counts. A dot leads into an \
     object: `user.id`.",
)
.default("sub,userId,user_id,id");
const NAME_CLAIMS: Setting =
    Setting::new("auth.name_claims", "Claims with the user's name; the first that is there counts.")
        .default("name,username");
const AVATAR_CLAIMS: Setting = Setting::new(
    "auth.avatar_claims",
    "Claims with the address of the user's picture; the first that is there counts.",
)
.default("avatar,picture");
const ROLE_CLAIMS: Setting =
    Setting::new("auth.role_claims", "Claims with the user's role; the first that is there counts.")
        .default("role");
const CONVERSATION_CLAIMS: Setting = Setting::new(
    "auth.conversation_claims",
    "Claims that list the conversations which the user may use, at most 1,000 texts or whole numbers; the first that \
     is there counts. Only the `gateway.policy` `token` reads them.",
)
.default("conversations");
const REVOCATION_TTL: Setting = Setting::new(
    "auth.revocation_ttl",
    "How long it is known that a user's tokens were revoked; for ever when it is not set, or when `auth.require_exp` is off. \
     When it is set, a token that lives longer, from its `iat` to its `exp`, is refused as `token_invalid`: it would come back.",
);
pub(super) const INSECURE_DIALECTS: Setting = Setting::new(
    "auth.insecure_dialects",
    "Dialects whose clients need no token and are whoever they say they are. Anybody can then be anybody: for trying \
     things out, and for old clients behind a guard of their own. REST and the other dialects stay as they are.",
);
const SERVICE_KEYS: Setting = Setting::new(
    "auth.service_keys",
    "Keys with which backends use REST and act for users, each of at least 16 bytes. Without any, REST takes only \
     users' tokens.",
)
.secret();
pub(super) const TOKEN_COOKIE: Setting = Setting::new(
    "auth.token_cookie",
    "The cookie to take a token from, when the client sends none otherwise. Needs `server.origins` without `*`.",
);

/// What [`AuthSection::warnings`] advises.
const ADVISED_SECRET_BYTES: usize = 32;
const LEAST_SECRET_BYTES: usize = 8;
const LEAST_SERVICE_KEY_BYTES: usize = 16;
const MOST_NAME_BYTES: usize = 256;

/// Whose tokens are believed, what they say, and which backends may act for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSection {
    /// What tokens are signed with, when it is a secret.
    pub jwt_secret: Option<Secret>,
    /// What older tokens may be signed with.
    pub jwt_previous_secrets: Vec<Secret>,
    /// Public keys that tokens are signed with.
    pub public_keys: Vec<PublicKey>,
    /// Where further ones are published.
    pub jwks_url: Option<Url>,
    /// How often these are fetched.
    pub jwks_refresh: Duration,
    /// How tokens may be signed; at least one, and there is a key for each.
    pub algorithms: Vec<Algorithm>,
    /// Accepted `iss`; every one when there are none.
    pub issuer: Vec<String>,
    /// Accepted `aud`; every one when there are none.
    pub audience: Vec<String>,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// Whether a token must have an end.
    pub require_exp: bool,
    /// How long before its token ends a socket is told.
    pub expiry_warning: Duration,
    /// Where the user's id stands; at least one.
    pub user_claims: Vec<String>,
    /// Where the name stands.
    pub name_claims: Vec<String>,
    /// Where the picture stands.
    pub avatar_claims: Vec<String>,
    /// Where the role stands.
    pub role_claims: Vec<String>,
    /// Where the conversations stand that the user may use.
    pub conversation_claims: Vec<String>,
    /// How long a revocation is known.
    pub revocation_ttl: Option<Duration>,
    /// The dialects whose clients need no token.
    pub insecure_dialects: Vec<String>,
    /// What backends show.
    pub service_keys: Vec<Secret>,
    /// The cookie that may hold a token.
    pub token_cookie: Option<String>,
}

impl AuthSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        keys::JWT_SECRET,
        keys::JWT_PREVIOUS_SECRETS,
        keys::PUBLIC_KEYS,
        keys::JWKS_URL,
        keys::JWKS_REFRESH,
        keys::ALGORITHMS,
        ISSUER,
        AUDIENCE,
        LEEWAY,
        REQUIRE_EXP,
        EXPIRY_WARNING,
        USER_CLAIMS,
        NAME_CLAIMS,
        AVATAR_CLAIMS,
        ROLE_CLAIMS,
        CONVERSATION_CLAIMS,
        REVOCATION_TTL,
        INSECURE_DIALECTS,
        SERVICE_KEYS,
        TOKEN_COOKIE,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let names = || parse::list(parse::text(1..=MOST_NAME_BYTES));
        let keys = SigningKeys::read(reader);
        let issuer = reader.optional(&ISSUER, names());
        let audience = reader.optional(&AUDIENCE, names());
        let leeway = reader.require(&LEEWAY, parse::duration(Duration::ZERO..=Duration::from_secs(300)));
        let require_exp = reader.require(&REQUIRE_EXP, parse::boolean());
        let expiry_warning =
            reader.require(&EXPIRY_WARNING, parse::duration(Duration::ZERO..=Duration::from_secs(3600)));
        let user_claims = reader.require(&USER_CLAIMS, at_least_one(names()));
        let name_claims = reader.require(&NAME_CLAIMS, names());
        let avatar_claims = reader.require(&AVATAR_CLAIMS, names());
        let role_claims = reader.require(&ROLE_CLAIMS, names());
        let conversation_claims = reader.require(&CONVERSATION_CLAIMS, names());
        let day = Duration::from_secs(86_400);
        let revocation_ttl =
            reader.optional(&REVOCATION_TTL, parse::duration(Duration::from_secs(60)..=day * 3_650));
        let insecure_dialects = reader.optional(&INSECURE_DIALECTS, names());
        let service_keys =
            reader.optional(&SERVICE_KEYS, parse::list(parse::secret(LEAST_SERVICE_KEY_BYTES)));
        let token_cookie = reader.optional(&TOKEN_COOKIE, cookie_name);
        let keys = keys?;
        Ok(Self {
            jwt_secret: keys.secret,
            jwt_previous_secrets: keys.previous,
            public_keys: keys.public,
            jwks_url: keys.jwks_url,
            jwks_refresh: keys.jwks_refresh,
            algorithms: keys.algorithms,
            issuer: issuer?.unwrap_or_default(),
            audience: audience?.unwrap_or_default(),
            leeway: leeway?,
            require_exp: require_exp?,
            expiry_warning: expiry_warning?,
            user_claims: user_claims?,
            name_claims: name_claims?,
            avatar_claims: avatar_claims?,
            role_claims: role_claims?,
            conversation_claims: conversation_claims?,
            revocation_ttl: revocation_ttl?,
            insecure_dialects: insecure_dialects?.unwrap_or_default(),
            service_keys: service_keys?.unwrap_or_default(),
            token_cookie: token_cookie?,
        })
    }

    /// What an operator should know although the gateway starts with it.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        let secrets = self.jwt_secret.iter().chain(&self.jwt_previous_secrets);
        if secrets.map(Secret::expose).any(|secret| secret.len() < ADVISED_SECRET_BYTES) {
            warnings.push(
                "a secret that tokens are signed with has fewer than 32 bytes: who has one token can try to guess it",
            );
        }
        if !self.require_exp {
            warnings.push(
                "auth.require_exp is off: a token without exp never ends, and neither does a revocation in Redis",
            );
        }
        if self.jwks_url.as_ref().is_some_and(|url| url.scheme() == "http") {
            warnings.push("auth.jwks_url is http: who is between can put keys of his own into the answer");
        }
        warnings
    }
}

fn at_least_one<T>(
    list: impl Fn(&Raw) -> Result<Vec<T>, Problem>,
) -> impl Fn(&Raw) -> Result<Vec<T>, Problem> {
    move |raw| match list(raw)? {
        items if items.is_empty() => Err(Problem::new("has no element").hint("write at least one")),
        items => Ok(items),
    }
}

/// A cookie's name has the characters of a token (RFC 6265, 4.1.1; RFC 9110, 5.6.2).
fn cookie_name(raw: &Raw) -> Result<String, Problem> {
    let name = parse::text(1..=MOST_NAME_BYTES)(raw)?;
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Ok(name);
    }
    Err(Problem::new("is not the name of a cookie")
        .hint("use letters, digits and ! # $ % & ' * + - . ^ _ ` | ~"))
}
