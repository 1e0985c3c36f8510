//! `gateway print-dialect`: a dialect file that comes with the gateway.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;

use super::Failure;
use crate::dialect::Shipped;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The name of the dialect
    #[arg(value_parser = PossibleValuesParser::new(Shipped::all().map(|shipped| shipped.name)))]
    name: String,
}

pub(super) fn print(options: &Options) -> Result<ExitCode, Failure> {
    let shipped = Shipped::named(&options.name).ok_or_else(|| Failure::usage("there is no such dialect"))?;
    super::print(shipped.text);
    Ok(ExitCode::SUCCESS)
}
