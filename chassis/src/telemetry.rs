//! Where log lines go: to standard error, as text or as JSON lines, filtered by configuration. Panics go there too.
//!
//! Called once, in `main`. Standard output stays free for what the verbs of a binary print.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::sections::{LogFormat, LogSection};

/// Libraries that log what clients say, whatever the configured level is: packets, in the case of this one.
const CAPPED: [&str; 1] = ["socketioxide_redis=info"];

/// Logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter, though checked by the configuration, was refused.
    #[error("failed to read the log filter: {0}")]
    Filter(ParseError),
    /// Something else has set a subscriber in this process.
    #[error("failed to start logging: {0}")]
    Taken(TryInitError),
}

/// Starts logging and installs a panic hook that logs through it.
///
/// # Errors
/// When logging was started before.
pub fn init(settings: &LogSection) -> Result<(), InitError> {
    let mut filter = filter(&settings.level).map_err(InitError::Filter)?;
    for directive in CAPPED {
        filter = filter.add_directive(directive.parse().map_err(InitError::Filter)?);
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    }
    .map_err(InitError::Taken)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Parses a filter in the language of `RUST_LOG`: a level, or directives such as `info,parlance_gateway=debug`.
///
/// # Errors
/// When a directive is not understood.
pub(crate) fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(directives)
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic = panic.payload_as_str().unwrap_or("a panic without text"),
        location,
        thread = thread.name(),
        backtrace,
        "panicked"
    );
}
