//! `gateway check-dialect`: says what is wrong with dialect files.

use std::{fs, path::PathBuf, process::ExitCode};

use super::{Failure, list, print};
use crate::dialect::{self, Mistake};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The files to check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn check(options: &Options) -> Result<ExitCode, Failure> {
    let mistakes: Vec<Mistake> = options.files.iter().flat_map(mistakes_of).collect();
    if !mistakes.is_empty() {
        return Err(Failure::usage(list(&mistakes)));
    }
    for file in &options.files {
        print(&format!("{}: valid\n", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn mistakes_of(path: &PathBuf) -> Vec<Mistake> {
    let file = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => dialect::mistakes_of(&file, &text),
        Err(error) => {
            vec![Mistake {
                file,
                key: String::new(),
                problem: format!("cannot be read: {error}"),
                hint: None,
            }]
        }
    }
}
