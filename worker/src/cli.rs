//! The command line.

mod check_config;
mod dead_letters;
mod healthcheck;
mod metrics;
mod migrate;
mod pending;
mod print_config;
mod run;

use std::{ffi::OsString, io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use parlance_broker::{Broker, BrokerError};
use parlance_chassis::{
    config::{ConfigErrors, Environment, Sources},
    exit,
};
use parlance_store::{Store, StoreError};

use crate::{app::StartError, config::Settings};

/// Writes what the gateways acknowledged to Postgres.
#[derive(Debug, Parser)]
#[command(name = "worker", version)]
struct Cli {
    /// The configuration file; else the one that PARLANCE_CONFIG names, else none.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write entries until SIGTERM.
    Run,
    /// Bring the database's schema up to date.
    Migrate,
    /// Show what waits in the streams, and for which workers.
    Pending,
    /// Show, retry or drop entries that cannot be written.
    #[command(subcommand)]
    DeadLetters(dead_letters::Verb),
    /// Check the configuration.
    CheckConfig,
    /// Print the configuration that counts, without secrets.
    PrintConfig(print_config::Options),
    /// Print what /metrics says, as Markdown.
    Metrics,
    /// Ask the worker of this configuration whether it is ready.
    Healthcheck,
}

/// Why a verb did not do its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to write the output: {0}")]
    Output(#[from] io::Error),
    #[error("{0}")]
    Other(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Config(_)
            | Failure::Broker(BrokerError::Layout { .. })
            | Failure::Store(StoreError::Layout { .. } | StoreError::Url) => exit::USAGE,
            Failure::Start(error) => error.exit_code(),
            _ => exit::FAILURE,
        }
    }
}

/// Does what the command line says; 64 when it, or the configuration, is wrong.
pub async fn main(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes; when even this cannot be printed, the code must do.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::SUCCESS });
        }
    };
    match obey(cli, environment).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("worker: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn obey(cli: Cli, environment: Environment) -> Result<ExitCode, Failure> {
    if let Verb::PrintConfig(print_config::Options { reference: true }) = cli.verb {
        print_config::print_reference(&mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    if matches!(cli.verb, Verb::Metrics) {
        metrics::print(&mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let sources = Sources::load(cli.config.as_deref(), environment)?;
    if matches!(cli.verb, Verb::PrintConfig(_)) {
        // Also of a configuration with mistakes: it shows where each value comes from.
        print_config::print(&sources, &mut io::stdout().lock())?;
    }
    let settings = Settings::read(&sources)?;
    match cli.verb {
        Verb::Run => return run::run(settings).await,
        Verb::Migrate => migrate::migrate(&settings).await?,
        Verb::Pending => {
            pending::print(&Broker::connect(settings.broker()).await?, &mut io::stdout()).await?;
        }
        Verb::DeadLetters(verb) => {
            verb.obey(&Store::connect(&settings.store()).await?, &mut io::stdout()).await?;
        }
        Verb::CheckConfig => check_config::print(&mut io::stdout().lock())?,
        // Done above.
        Verb::PrintConfig(_) | Verb::Metrics => {}
        Verb::Healthcheck => healthcheck::ask(&settings.admin).await?,
    }
    Ok(ExitCode::SUCCESS)
}
