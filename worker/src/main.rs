//! The worker's binary: hands the command line and the environment to [`parlance_worker::cli`].

use std::process::ExitCode;

use parlance_chassis::config::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    parlance_worker::cli::main(std::env::args_os(), Environment::from_process()).await
}
