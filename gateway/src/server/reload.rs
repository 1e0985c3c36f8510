//! The dialects read again while the gateway runs: all of what is new, or, when there is a mistake, nothing of it.

use std::convert::Infallible;

use parlance_chassis::lifecycle::CancellationToken;
use tokio::sync::watch;

use super::{StartError, parts::check_insecure, socket_paths};
use crate::{
    app::App,
    socket::{
        cluster::Io,
        connect::{self, Namespaces},
        wire::SocketPaths,
    },
    web::origins::AllowedNow,
};

/// What follows from the dialects and is in use already.
pub(super) struct Served {
    pub(super) io: Io,
    pub(super) namespaces: Namespaces,
    pub(super) paths: SocketPaths,
    pub(super) origins: AllowedNow,
}

/// Reloads whenever it is asked for, until `soft`.
pub(super) async fn run(
    app: App,
    served: Served,
    mut asked: watch::Receiver<()>,
    soft: CancellationToken,
) -> Result<(), Infallible> {
    while let Some(Ok(())) = soft.run_until_cancelled(asked.changed()).await {
        let result = match reload(&app, &served).await {
            Ok(names) => {
                tracing::info!(dialects = names, "the dialects were read again");
                "ok"
            }
            Err(error) => {
                tracing::error!(%error, "the dialects stay as they were");
                "refused"
            }
        };
        metrics::counter!(crate::metrics::DIALECT_RELOADS.name, "result" => result).increment(1);
    }
    Ok(())
}

/// Returns the names of the dialects that there are now.
async fn reload(app: &App, served: &Served) -> Result<String, StartError> {
    let next = app.dialects.read_again(app.config.gateway.selection()).map_err(StartError::Dialects)?;
    check_insecure(&app.config, &next)?;
    let paths = socket_paths(&app.config.server, &next)?;
    // The only thing that can fail from here on. Who comes to such a namespace before the dialects are replaced is refused,
    // as before.
    connect::open(&served.io, app, &next, &served.namespaces).await?;
    let origins = next.origins(&app.config.server.origins);
    let names: Vec<&str> = next.iter().map(|dialect| dialect.name()).collect();
    let names = names.join(", ");
    app.dialects.replace(next);
    served.origins.set(origins);
    served.paths.set(paths);
    app.users.hear_everyone();
    Ok(names)
}
