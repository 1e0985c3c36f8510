//! Refusals. Those that every request can meet are added to the document by `openapi`; a handler names the others.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Schema},
};

/// Why a request was not carried out (RFC 9457, `application/problem+json`).
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Problem {
    /// `urn:parlance:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// For a person: names the field that does not fit.
    pub detail: String,
    /// Stable; says what to do.
    #[schema(example = "invalid_payload")]
    pub code: String,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// How long to wait, in milliseconds, when that is known.
    #[schema(nullable = false)]
    pub retry_after_ms: Option<u64>,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:literal $description:literal)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([($status.to_owned(), Ref::from_response_name(stringify!($name)).into())])
                }
            }
        )*

        /// Every refusal, by the name that operations refer to it with.
        pub fn refusals() -> BTreeMap<String, RefOr<Response>> {
            BTreeMap::from([$((stringify!($name).to_owned(), refusal($description).into()),)*])
        }
    };
}

refusals! {
    /// Something in the request does not fit.
    BadRequest = "400" "Something in the request does not fit: `invalid_payload`, `content_blank`."
    /// Nobody is known to ask.
    Unauthorized = "401" "Who asks is not known: `token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`."
    /// The caller may not do this.
    Forbidden = "403" "The caller may not do this: `forbidden`, `not_a_participant`."
    /// There is no such thing.
    NotFound = "404" "There is no such thing, or none that the caller may know of: `not_found`."
    /// The body did not arrive.
    Timeout = "408" "The body did not arrive in time: `request_timeout`."
    /// It cannot be as there is something else.
    Conflict = "409" "There is something else already (`conflict`), as much as there may be (`limit_reached`), \
        or the first request with this Idempotency-Key still runs (`idempotency_in_progress`)."
    /// It is not as the caller thinks.
    PreconditionFailed = "412" "It is not in the state that `If-Match` names: `precondition_failed`."
    /// It is too large.
    TooLarge = "413" "It is too large: `payload_too_large`, `content_too_large`."
    /// The body is no JSON.
    NotJson = "415" "The body is of the wrong type: `unsupported_media_type`."
    /// The key of another request.
    KeyReused = "422" "The Idempotency-Key is that of another request: `idempotency_key_reused`."
    /// Too much at a time.
    RateLimited = "429" "Too much in this time: `rate_limited`."
    /// The server failed.
    Internal = "500" "The server failed, and it is not known whether the request was carried out: `internal`."
    /// Not now.
    Unavailable = "503" "Not now: `overloaded`; `unavailable`, and it is not known whether the request was carried out."
}

fn refusal(description: &str) -> Response {
    let schema: RefOr<Schema> = Ref::from_schema_name(Problem::name()).into();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}

/// The schema that all refusals refer to.
pub fn problem_schema() -> (String, RefOr<Schema>) {
    (Problem::name().into_owned(), Problem::schema())
}
