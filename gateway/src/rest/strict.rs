//! Query parameters that a request does not have are refused by name, whether its handler looks at the query or not:
//! the OpenAPI document says which there are.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use parlance_domain::rejection::Rejection;
use utoipa::openapi::{
    RefOr,
    path::{Operation, ParameterIn, PathItem},
};

use super::{openapi, problem::Problem, query};

type Parameters = HashMap<(Method, String), BTreeSet<String>>;

static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let document = openapi::document();
    let paths = document.paths.paths.iter();
    paths.flat_map(|(path, item)| operations(path, item)).collect()
});

fn operations(path: &str, item: &PathItem) -> impl Iterator<Item = ((Method, String), BTreeSet<String>)> {
    let operations = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    operations.into_iter().filter_map(move |(method, operation)| {
        Some(((method, path.to_owned()), parameters(operation.as_ref()?)))
    })
}

fn parameters(operation: &Operation) -> BTreeSet<String> {
    let all = operation.parameters.iter().flatten();
    all.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
        _ => None,
    })
    .collect()
}

/// Lets a request pass whose query has no parameter that the document does not know.
pub(super) async fn known_query(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(rejection) => Problem::from(rejection).into_response(),
    }
}

fn check(request: &Request) -> Result<(), Rejection> {
    let (Some(query), Some(path)) = (request.uri().query(), request.extensions().get::<MatchedPath>()) else {
        return Ok(());
    };
    // Probes may add what they like, against caches.
    if !path.as_str().starts_with("/v1/") {
        return Ok(());
    }
    // What is asked for without its body is what is asked for.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(known) = PARAMETERS.get(&(method.clone(), path.as_str().to_owned())) else {
        return Ok(());
    };
    query::only(query, known)
}
