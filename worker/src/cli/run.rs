//! `worker run`.

use std::process::ExitCode;

use parlance_chassis::{lifecycle::Lifecycle, telemetry};
use tokio::sync::oneshot;

use super::Failure;
use crate::{app, config::Settings};

/// Runs until SIGTERM or SIGINT; 64 when the layout of the partitions is another one.
pub(super) async fn run(settings: Settings) -> Result<ExitCode, Failure> {
    telemetry::init(&settings.log).map_err(|error| Failure::Other(error.to_string()))?;
    let lifecycle = Lifecycle::new().map_err(|error| Failure::Other(error.to_string()))?;
    let (handle, drain_deadline) = (lifecycle.handle(), settings.shutdown.drain_deadline);
    let (code_in, mut code_out) = oneshot::channel();
    // A task of its own: while it waits for Postgres, signals are heard.
    let starting = handle.clone();
    handle.spawn("start", async move {
        let started = app::run(settings, &starting).await;
        if let Err(error) = &started {
            // The receiver lives as long as the process.
            let _ = code_in.send(error.exit_code());
        }
        started
    });
    let code = lifecycle.run(drain_deadline).await;
    Ok(code_out.try_recv().map_or(code, ExitCode::from))
}
