//! One request for a set of keys: bounded in time and in bytes.

use std::time::Duration;

use reqwest::{Client, redirect};
use url::Url;

use super::document::{self, BadDocument};
use crate::auth::keys::key::{Demands, Key};

/// How long a request may take, with everything.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest document, in bytes.
const MOST_BYTES: usize = 256 * 1024;
/// How many redirections are followed.
const MOST_REDIRECTIONS: usize = 3;

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// There was no answer.
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    /// It was another answer.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// It was too large.
    #[error("the answer is larger than 256 KiB")]
    TooLarge,
    /// It was not what it should be.
    #[error(transparent)]
    Document(#[from] BadDocument),
}

/// Where keys are fetched, and what for.
pub(super) struct Source {
    url: Url,
    demands: Demands,
}

impl Source {
    pub(super) fn new(url: Url, demands: Demands) -> Self {
        Self { url, demands }
    }

    /// The URL without what may be secret in it.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }

    /// Fetches the keys that can be used; at least one.
    pub(super) async fn fetch(&self) -> Result<Vec<Key>, FetchError> {
        let body = tokio::time::timeout(DEADLINE, self.read()).await;
        let body = body.unwrap_or(Err(FetchError::Status(408)))?;
        Ok(document::keys(&body, &self.demands)?)
    }

    async fn read(&self) -> Result<Vec<u8>, FetchError> {
        // A client a request: they are rare, and nothing stays open between them.
        let client = client(&self.url)?;
        let mut answer =
            client.get(self.url.clone()).header("Accept", "application/json").send().await.map_err(bare)?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(bare)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The URL may have a secret in it.
fn bare(error: reqwest::Error) -> reqwest::Error {
    error.without_url()
}

/// A redirection must not lead from https to where somebody between can answer.
fn client(url: &Url) -> Result<Client, reqwest::Error> {
    // The client finds its cryptography here; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(DEADLINE)
        .https_only(url.scheme() == "https")
        .redirect(redirect::Policy::limited(MOST_REDIRECTIONS))
        .build()
}
