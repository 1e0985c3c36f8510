//! Middleware: counts requests and how long their answers took. Labels are of small sets, whatever is asked for.

use std::time::Instant;

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};

use crate::metrics::{HTTP_REQUEST_SECONDS, HTTP_REQUESTS};

pub(super) async fn measured(request: Request, next: Next) -> Response {
    let (method, begun) = (method(request.method()), Instant::now());
    let response = next.run(request).await;
    let status = class(response.status());
    metrics::counter!(HTTP_REQUESTS.name, "method" => method, "status" => status).increment(1);
    metrics::histogram!(HTTP_REQUEST_SECONDS.name, "method" => method).record(begun.elapsed());
    response
}

/// A client may send any word as a method.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_of_small_sets() {
        assert_eq!(method(&Method::PATCH), "PATCH");
        assert_eq!(method(&Method::from_bytes(b"BREW").unwrap()), "other");
        assert_eq!(class(StatusCode::CREATED), "2xx");
        assert_eq!(class(StatusCode::from_u16(999).unwrap()), "5xx");
    }
}
