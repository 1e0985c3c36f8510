//! `gateway mint-token`: a token for trying things out. It needs no more of the configuration than `[auth]`.

use std::{process::ExitCode, time::Duration};

use futures_util::FutureExt;
use parlance_chassis::{
    clock::Clock,
    config::{Raw, Sources, parse},
};
use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
};

use super::{Failure, print, section};
use crate::{
    auth::{self, Auth, NewToken, OwnTokens},
    config::AuthSection,
    membership::Policy,
};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The user's id
    #[arg(long)]
    user: UserId,
    /// The user's name
    #[arg(long)]
    name: Option<String>,
    /// The user's role
    #[arg(long)]
    role: Option<String>,
    /// How long it is valid, such as 30m, 12h or 7d
    #[arg(long, default_value = "1h", value_parser = ttl)]
    ttl: Duration,
}

pub(super) fn mint(options: &Options, sources: &Sources) -> Result<ExitCode, Failure> {
    let config = section(sources, AuthSection::read)?;
    let token = NewToken {
        user: options.user.clone(),
        name: options.name.clone(),
        role: options.role.clone(),
        ttl: options.ttl,
    };
    let clock = Clock::system();
    let minted = auth::mint(&config, &token, &clock).map_err(Failure::usage)?;
    // Better told here than by the gateway.
    let (auth, _) = Auth::new(&config, Policy::Members);
    auth.verify(&minted, &OwnTokens::default(), &clock)
        .now_or_never()
        .unwrap_or_else(|| Err(Rejection::from(Code::Unavailable)))
        .map_err(Failure::usage)?;
    print(&format!("{minted}\n"));
    Ok(ExitCode::SUCCESS)
}

fn ttl(text: &str) -> Result<Duration, String> {
    let parse = parse::duration(Duration::from_secs(1)..=DAY * 3_650);
    parse(&Raw::Text(text.to_owned()))
        .map_err(|_| "write it as 30s, 15m, 12h or 7d, at the most 3650d".to_owned())
}
