//! `gateway dialect-docs`: one dialect as Markdown tables.

use std::{fs, process::ExitCode};

use super::{Failure, list};
use crate::dialect::{Shipped, docs};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The name of a dialect that comes with the gateway, or a file
    #[arg(value_name = "FILE|NAME")]
    dialect: String,
}

pub(super) fn print(options: &Options) -> Result<ExitCode, Failure> {
    let named = &options.dialect;
    let document = match Shipped::named(named) {
        Some(shipped) => docs::text(shipped.file, shipped.text),
        None => {
            let text = fs::read_to_string(named).map_err(|error| {
                let known: Vec<&str> = Shipped::all().map(|shipped| shipped.name).collect();
                Failure::usage(format!("{named}: cannot be read: {error}; names are {}", known.join(", ")))
            })?;
            docs::text(named, &text)
        }
    };
    super::print(&document.map_err(|mistakes| Failure::usage(list(&mistakes)))?);
    Ok(ExitCode::SUCCESS)
}
