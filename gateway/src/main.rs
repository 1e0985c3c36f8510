//! The `gateway` binary. What it can do stands in [`parlance_gateway::cli`].

use std::process::ExitCode;

use parlance_chassis::config::Environment;

fn main() -> ExitCode {
    parlance_gateway::cli::main(std::env::args_os(), Environment::from_process())
}
