//! `gateway openapi`: the description of the REST API, as `/v1/openapi.json` serves it.

use std::process::ExitCode;

use super::Failure;
use crate::rest::openapi;

pub(super) fn print() -> Result<ExitCode, Failure> {
    super::print(&openapi::json());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_not_stale() {
        let committed = include_str!("../../../docs/openapi.json");
        assert!(
            committed == openapi::json(),
            "docs/openapi.json is stale: run `cargo run -p parlance-gateway -- openapi > docs/openapi.json`"
        );
    }
}
