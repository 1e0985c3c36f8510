//! The answer with a file, or with the part of it that was asked for.

use std::ops::Range;

use axum::{
    body::Body as AxumBody,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use object_store::{GetRange, GetResult};
use parlance_domain::upload::Upload;

use crate::uploads::is_shown_inline;

const CROSS_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The answer with a file or a part of it: nothing of it can run, wherever it is opened.
pub(super) fn serve(upload: &Upload, tag: &str, part: Option<&Range<u64>>, stored: GetResult) -> Response {
    let disposition = if is_shown_inline(&upload.content_type) { "inline" } else { "attachment" };
    let encoded = url::form_urlencoded::byte_serialize(upload.name.as_bytes()).collect::<String>();
    let disposition =
        format!("{disposition}; filename*=UTF-8''{}", encoded.replace('+', "%20").replace('*', "%2A"));
    let length = part.map_or(upload.size, |part| part.end - part.start);
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &upload.content_type);
    set(header::CONTENT_LENGTH, &length.to_string());
    set(header::CONTENT_DISPOSITION, &disposition);
    set(header::ETAG, tag);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CACHE_CONTROL, "private, max-age=86400, immutable");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox");
    // Pages elsewhere show pictures.
    set(CROSS_ORIGIN, "cross-origin");
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{}", part.start, part.end - 1, upload.size);
        set(header::CONTENT_RANGE, &range);
    }
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let body = AxumBody::from_stream(stored.into_stream().map_err(std::io::Error::other));
    (status, headers, body).into_response()
}

/// The part that a `Range` header names; several parts, and what cannot be read, mean the whole (RFC 9110, 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

pub(super) fn part(header: &str) -> Option<Part> {
    let (first, last) = header.strip_prefix("bytes=")?.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Part::Last(last.parse().ok()?)),
        (first, "") => Some(Part::From(first.parse().ok()?)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Part::FromTo(first, last))
        }
    }
}

impl Part {
    pub(super) fn of(self, size: u64) -> GetRange {
        GetRange::Bounded(match self {
            Part::From(first) => first..size.max(first),
            Part::FromTo(first, last) => first..last.saturating_add(1).min(size).max(first),
            Part::Last(count) => size.saturating_sub(count)..size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_a_part() {
        for (header, expected) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=95-200", Some(95..100)),
            ("bytes=9-0", None),
            ("bytes=0-1,5-6", None),
            ("items=0-1", None),
        ] {
            let found = part(header).map(|part| part.of(100));
            assert_eq!(found, expected.map(GetRange::Bounded), "{header}");
        }
    }
}
