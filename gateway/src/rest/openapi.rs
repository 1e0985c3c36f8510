//! The OpenAPI document: made from the annotations of the handlers, with what all operations have in common added here.
//! `gateway openapi` prints it, `/v1/openapi.json` serves it, and `docs/openapi.json` is the committed copy.

use std::sync::LazyLock;

use axum::{
    http::{Method, header},
    response::IntoResponse,
};
use utoipa::{
    IntoResponses,
    openapi::{
        Components, Info, License, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Response, Tag,
        Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::schema;
use crate::app::App;

/// The header of a version of what is answered; operations that have it take `If-None-Match`.
const ETAG: &str = "ETag";
const BEARER: &str = "bearer";
const API_KEY: &str = "apiKey";

const ABOUT: &str = "\
Chat for applications: conversations, messages, receipts, reactions, calls, notifications and files. The socket \
protocol has the same objects, bounds and codes. Ids in a path are percent-encoded UTF-8; a field or query parameter \
that a request does not have is refused by its name.";

const ACT_AS: &str = "For whom a backend acts: a user's id, in UTF-8. With a service key only.";
/// The characters of an id.
const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
const ONCE: &str = "\
Visible ASCII characters. The same request with the same key is answered with the first answer for 24 hours, with \
`Idempotency-Replayed: true`, and not carried out again.";

/// The document as it is served.
pub fn document() -> OpenApi {
    finished(super::resources().into_openapi())
}

/// The document as `docs/openapi.json` has it.
pub fn json() -> String {
    let document = serde_json::to_value(document()).unwrap_or_default();
    format!("{document:#}\n")
}

/// What stands before the operations.
pub(super) fn head() -> OpenApi {
    let mut info = Info::new("Parlance", "v1");
    info.description = Some(ABOUT.to_owned());
    info.license = Some(License::builder().name("Apache-2.0").identifier(Some("Apache-2.0")).build());
    let tags = [
        ("conversations", "Conversations and who takes part in them"),
        ("messages", "Messages, their history and how far they were read"),
        ("calls", "Calls"),
        ("users", "Users and their sockets"),
        ("notifications", "Notifications"),
        ("events", "A backend's own events"),
        ("files", "Files"),
        ("service", "The service itself"),
    ];
    let tag = |(name, about)| {
        let mut tag = Tag::new(name);
        tag.description = Some(String::from(about));
        tag
    };
    OpenApiBuilder::new().info(info).tags(Some(tags.map(tag))).build()
}

/// Adds what operations have in common.
fn finished(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    components.responses.extend(schema::refusals());
    components.schemas.extend([schema::problem_schema()]);
    components.security_schemes.extend(security_schemes());
    document.security =
        Some(vec![SecurityRequirement::new(BEARER, NONE), SecurityRequirement::new(API_KEY, NONE)]);
    for item in document.paths.paths.values_mut() {
        finish(item);
    }
    document
}

const NONE: [&str; 0] = [];

fn security_schemes() -> [(String, RefOr<SecurityScheme>); 2] {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A service key, or a user's token (JWT)."))
        .build();
    let key = ApiKeyValue::with_description("X-Api-Key", "A service key.");
    [
        (BEARER.to_owned(), SecurityScheme::Http(bearer).into()),
        (API_KEY.to_owned(), SecurityScheme::ApiKey(ApiKey::Header(key)).into()),
    ]
}

fn finish(item: &mut PathItem) {
    for (operation, method) in [
        (&mut item.get, Method::GET),
        (&mut item.put, Method::PUT),
        (&mut item.patch, Method::PATCH),
        (&mut item.delete, Method::DELETE),
        (&mut item.post, Method::POST),
    ] {
        let Some(operation) = operation else { continue };
        // What says that it needs nobody known has no more in common with the others.
        if operation.security.is_none() {
            finish_secured(operation, &method);
        }
    }
}

fn finish_secured(operation: &mut Operation, method: &Method) {
    refuse::<schema::BadRequest>(operation);
    refuse::<schema::Unauthorized>(operation);
    refuse::<schema::Forbidden>(operation);
    refuse::<schema::RateLimited>(operation);
    refuse::<schema::Internal>(operation);
    refuse::<schema::Unavailable>(operation);
    let is_upload = operation.tags.iter().flatten().any(|tag| tag == "files");
    let takes_key = method == Method::POST && !is_upload;
    if operation.request_body.is_some() {
        refuse::<schema::NotJson>(operation);
    }
    if operation.request_body.is_some() || takes_key {
        refuse::<schema::Timeout>(operation);
        refuse::<schema::TooLarge>(operation);
    }
    take(operation, "X-Act-As", ACT_AS, text(128, NO_CONTROL));
    if takes_key {
        take(operation, "Idempotency-Key", ONCE, text(255, "^[!-~]+$"));
        refuse::<schema::Conflict>(operation);
        refuse::<schema::KeyReused>(operation);
    }
    if method == Method::GET && is_tagged(operation) {
        take(
            operation,
            "If-None-Match",
            "Versions that the caller has: it is answered 304 when one is current.",
            ObjectBuilder::new(),
        );
        let unchanged = Response::new("The caller has the current version.");
        operation.responses.responses.entry("304".to_owned()).or_insert_with(|| unchanged.into());
    }
}

/// Whether it answers with an ETag.
fn is_tagged(operation: &Operation) -> bool {
    let ok = operation.responses.responses.get("200");
    matches!(ok, Some(RefOr::T(response)) if response.headers.contains_key(ETAG))
}

fn refuse<R: IntoResponses>(operation: &mut Operation) {
    for (status, refusal) in R::responses() {
        operation.responses.responses.entry(status).or_insert(refusal);
    }
}

fn take(operation: &mut Operation, header: &str, about: &str, value: ObjectBuilder) {
    let parameter: Parameter = ParameterBuilder::new()
        .name(header)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(value.schema_type(Type::String).build()))
        .build();
    operation.parameters.get_or_insert_default().push(parameter.into());
}

fn text(most: usize, pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().min_length(Some(1)).max_length(Some(most)).pattern(Some(pattern))
}

/// This document
///
/// For everybody.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "service",
    operation_id = "getOpenApi",
    responses((status = 200, description = "The document.", body = Object)),
    security(()),
)]
async fn serve() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(json);
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(serve))
}
