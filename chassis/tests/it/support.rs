//! What the tests wait with.

use std::process::ExitCode;
use std::time::Duration;

use parlance_chassis::exit;
use parlance_chassis::lifecycle::Lifecycle;

/// A drain deadline that no test reaches unless something is broken.
pub const AMPLE: Duration = Duration::from_secs(30);

/// Longer than anything here takes; reached only by a failing test.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Awaits with [`PATIENCE`].
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} does not happen"))
}

/// Runs a lifecycle to its end, which has to come.
pub async fn end(lifecycle: Lifecycle, drain_deadline: Duration) -> ExitCode {
    soon("the end", lifecycle.run(drain_deadline)).await
}

/// The exit code of a process that ended well.
pub fn success() -> ExitCode {
    ExitCode::from(exit::SUCCESS)
}

/// The exit code of a process in which something failed.
pub fn failure() -> ExitCode {
    ExitCode::from(exit::FAILURE)
}
