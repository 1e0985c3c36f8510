//! The command line: its verbs, one file each, and what all of them share. What a verb does for a running gateway is
//! done elsewhere.
//!
//! Standard output has only what a verb was asked for; everything else goes to standard error. Exit codes are those of
//! [`parlance_chassis::exit`].

mod asyncapi;
mod check_config;
mod check_dialect;
mod dialect_docs;
mod healthcheck;
mod metrics;
mod mint_token;
mod openapi;
mod print_config;
mod print_dialect;
mod run;
mod vocabulary;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use parlance_chassis::{
    config::{self, ConfigErrors, Environment, Invalid, Reader, Sources},
    exit,
};

use crate::{
    config::Config,
    dialect::{Dialects, Mistake},
};

/// A chat gateway for Socket.IO clients.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, disable_help_subcommand = true)]
struct Cli {
    /// The configuration file (TOML). Without it, the one that PARLANCE_CONFIG names; without that, none
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve clients until SIGTERM (the default)
    Run,
    /// Say what is wrong with the configuration and with the dialects that it names
    CheckConfig,
    /// Print the configuration that counts and where each value comes from, without secrets
    PrintConfig(print_config::Options),
    /// Say what is wrong with dialect files
    CheckDialect(check_dialect::Options),
    /// Print a dialect file that comes with the gateway, to be changed and put into the folder of one's own
    PrintDialect(print_dialect::Options),
    /// Print what the clients of a dialect say and are told (Markdown)
    DialectDocs(dialect_docs::Options),
    /// Print the description of the REST API (OpenAPI 3.1)
    Openapi,
    /// Print the description of the native socket protocol (AsyncAPI 3)
    Asyncapi,
    /// Print the words that dialect files can use (Markdown)
    Vocabulary,
    /// Print what /metrics says (Markdown)
    Metrics,
    /// Print a token for trying things out, signed with the configured secret
    MintToken(mint_token::Options),
    /// Ask the gateway with this configuration whether it is ready
    Healthcheck,
}

/// Does what the command line asks for.
pub fn main(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(asked) => {
            // `--help` and `--version` come here too. A terminal that is gone is no reason to fail.
            let _ = asked.print();
            return ExitCode::from(if asked.use_stderr() { exit::USAGE } else { exit::SUCCESS });
        }
    };
    let done = match cli.verb.unwrap_or(Verb::Run) {
        Verb::CheckDialect(options) => check_dialect::check(&options),
        Verb::PrintDialect(options) => print_dialect::print(&options),
        Verb::DialectDocs(options) => dialect_docs::print(&options),
        Verb::PrintConfig(options) if options.reference => print_config::print_reference(),
        Verb::Openapi => openapi::print(),
        Verb::Asyncapi => asyncapi::print(),
        Verb::Vocabulary => vocabulary::print(),
        Verb::Metrics => metrics::print(),
        verb => Sources::load(cli.config.as_deref(), environment)
            .map_err(Failure::usage)
            .and_then(|sources| with_configuration(verb, &sources)),
    };
    done.unwrap_or_else(|failure| {
        print_error(&failure.text);
        ExitCode::from(failure.code)
    })
}

fn with_configuration(verb: Verb, sources: &Sources) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Run => run::run(sources),
        Verb::CheckConfig => check_config::check(sources),
        Verb::PrintConfig(_) => print_config::print_effective(sources),
        Verb::CheckDialect(options) => check_dialect::check(&options),
        Verb::PrintDialect(options) => print_dialect::print(&options),
        Verb::DialectDocs(options) => dialect_docs::print(&options),
        Verb::Openapi => openapi::print(),
        Verb::Asyncapi => asyncapi::print(),
        Verb::Vocabulary => vocabulary::print(),
        Verb::Metrics => metrics::print(),
        Verb::MintToken(options) => mint_token::mint(&options, sources),
        Verb::Healthcheck => healthcheck::check(sources),
    }
}

/// Why a verb failed, and the exit code that says so.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// The configuration or the command line is wrong.
    fn usage(text: impl fmt::Display) -> Self {
        Self { code: exit::USAGE, text: text.to_string() }
    }

    /// Something else went wrong.
    fn other(text: impl fmt::Display) -> Self {
        Self { code: exit::FAILURE, text: text.to_string() }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::usage(errors)
    }
}

/// One section, for verbs that need no more: the others may be incomplete.
fn section<T>(
    sources: &Sources,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Invalid>,
) -> Result<T, ConfigErrors> {
    config::read(&Config::schema(), sources, read)
}

/// The dialects that a configuration names, or every mistake in them.
fn dialects(config: &Config) -> Result<Dialects, Failure> {
    Dialects::load(config.gateway.selection()).map_err(|mistakes| Failure::usage(list(&mistakes)))
}

fn list(mistakes: &[Mistake]) -> String {
    let plural = if mistakes.len() == 1 { "" } else { "s" };
    let lines: String = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
    format!("{} mistake{plural} in the dialects{lines}", mistakes.len())
}

/// Prints what was asked for. Who closes the pipe has read enough.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn print_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
