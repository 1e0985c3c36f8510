//! `gateway run`: serves clients until it is told to stop.

use std::process::ExitCode;

use parlance_chassis::{config::Sources, lifecycle::Lifecycle, telemetry};

use super::{Failure, dialects};
use crate::{config::Config, server};

/// Bad configuration and bad dialects are told before a port is bound.
pub(super) fn run(sources: &Sources) -> Result<ExitCode, Failure> {
    let config = Config::from_sources(sources)?;
    dialects(&config)?;
    telemetry::init(&config.log).map_err(Failure::other)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("failed to start the runtime: {error}")))?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<ExitCode, Failure> {
    let lifecycle = Lifecycle::reloading()
        .map_err(|error| Failure::other(format!("failed to install signal handlers: {error}")))?;
    let handle = lifecycle.handle();
    let drain_deadline = config.shutdown.drain_deadline;
    if let Err(error) = server::run(config, &handle).await {
        tracing::error!(%error, "failed to start");
        // What was started before it failed ends in order.
        handle.stop_now();
        lifecycle.run(drain_deadline).await;
        return Ok(ExitCode::from(error.exit_code()));
    }
    Ok(lifecycle.run(drain_deadline).await)
}
