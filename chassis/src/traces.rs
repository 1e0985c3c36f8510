//! Traces of commands: spans that are sent to an OpenTelemetry collector (OTLP over HTTP).
//!
//! A process that is given no endpoint makes no spans, and what is not sampled costs a few nanoseconds: a [`Span`] that is
//! none does nothing. Between processes a trace travels as a `traceparent`
//! (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).

use std::{convert::Infallible, time::Duration};

pub use opentelemetry::trace::SpanKind;
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Span as _, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio_util::sync::CancellationToken;

use crate::{config::sections::TracesSection, lifecycle::Handle};

/// How long the last spans may take to leave when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// How long one request to the collector may take. What waits meanwhile is bounded (2,048 spans); beyond it, spans are
/// dropped and counted in the log.
const EXPORT_DEADLINE: Duration = Duration::from_secs(5);

/// Spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("failed to start traces: {0}")]
pub struct StartError(#[from] ExporterBuildError);

/// Makes spans; a cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<SdkTracer>);

/// Part of a trace, from when it was made until it is dropped; or nothing, when the trace is not recorded.
#[derive(Debug, Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Traces {
    /// Starts to send what `service` does, if there is an endpoint. The spans of before the hard stop are sent before the
    /// process ends, if the collector takes them in time.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn start(
        settings: &TracesSection,
        service: &'static str,
        lifecycle: &Handle,
    ) -> Result<Self, StartError> {
        let Some(endpoint) = &settings.endpoint else { return Ok(Self::default()) };
        // The exporter's client finds its cryptography here; a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
            .with_timeout(EXPORT_DEADLINE)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler(settings.sample_ratio))
            .with_resource(resource(service))
            .build();
        let traces = Self(Some(provider.tracer("parlance")));
        lifecycle.spawn_support("traces", end(provider, lifecycle.hard()));
        tracing::info!(%endpoint, sample_ratio = settings.sample_ratio, "tracing");
        Ok(traces)
    }

    /// Begins a trace, of as many as are sampled.
    pub fn begin(&self, name: &'static str) -> Span {
        self.span(name, SpanKind::Server, &Context::new())
    }

    /// Goes on with a trace that began elsewhere; nothing when `parent` is no `traceparent` of a sampled trace.
    pub fn resume(&self, name: &'static str, kind: SpanKind, parent: Option<&str>) -> Span {
        let parent = self.0.as_ref().and_then(|_| parse(parent?));
        parent.map_or_else(Span::default, |parent| {
            self.span(name, kind, &Context::new().with_remote_span_context(parent))
        })
    }

    fn span(&self, name: &'static str, kind: SpanKind, parent: &Context) -> Span {
        let Some(tracer) = &self.0 else { return Span::default() };
        let span = tracer.build_with_context(tracer.span_builder(name).with_kind(kind), parent);
        Span(span.is_recording().then(|| Box::new(span)))
    }
}

impl Span {
    /// Notes a fact.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Notes that what it covers failed, and why.
    pub fn fail(&mut self, reason: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(reason));
        }
    }

    /// What others need to go on with the trace; `None` when nothing is recorded.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref()?.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        Some(format!("00-{trace}-{span}-{flags:02x}"))
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default())).filter(SpanContext::is_sampled)
}

fn sampler(ratio: f64) -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))
}

/// `OTEL_RESOURCE_ATTRIBUTES` may say more.
fn resource(service: &'static str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn end(provider: SdkTracerProvider, hard: CancellationToken) -> Result<(), Infallible> {
    hard.cancelled().await;
    let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_SPANS)).await;
    match flushed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last spans may not have been sent"),
        Err(error) => tracing::warn!(%error, "failed to send the last spans"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(ratio: f64) -> Traces {
        let provider = SdkTracerProvider::builder().with_sampler(sampler(ratio)).build();
        Traces(Some(provider.tracer("tests")))
    }

    #[test]
    fn a_trace_goes_on_where_it_was_handed_to_and_only_if_it_is_sampled() {
        let begun = traces(1.0).begin("first").traceparent().unwrap();
        // Elsewhere nothing is begun, and what was begun goes on all the same.
        let elsewhere = traces(0.0);
        assert_eq!(elsewhere.begin("first").traceparent(), None);
        let next = elsewhere.resume("next", SpanKind::Consumer, Some(&begun)).traceparent().unwrap();
        assert_eq!((&next[..35], &next[52..]), (&begun[..35], "-01"));
        assert_ne!(next, begun);
        let unsampled = format!("{}-00", &begun[..52]);
        for parent in [None, Some(""), Some("nonsense"), Some(unsampled.as_str())] {
            assert_eq!(
                elsewhere.resume("next", SpanKind::Consumer, parent).traceparent(),
                None,
                "{parent:?}"
            );
        }
    }

    #[test]
    fn nothing_is_recorded_without_an_endpoint() {
        let mut span = Traces::default().begin("first");
        span.set("key", "value");
        span.fail("reason");
        assert_eq!(span.traceparent(), None);
    }
}
