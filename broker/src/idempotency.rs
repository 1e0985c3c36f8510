//! The first answers to requests that may be repeated: claimed, kept for a time, and found again. What a request and an
//! answer are is the caller's business; keys and values here are opaque.

use std::time::Duration;

use fred::{
    interfaces::KeysInterface,
    types::{Expiration, SetOptions},
};

use crate::{
    broker::Broker,
    error::BrokerError,
    metrics::begin,
    script::{Script, words},
};

/// What a kept answer begins with.
const ANSWER: &str = "answer ";
/// What a claim begins with.
const CLAIM: &str = "claim ";

/// A request that runs and whose answer may be kept. When nothing is said of it, it runs out by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    key: String,
    value: String,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing: it is the caller's to carry out.
    Now(Claim),
    /// It runs; this is what its claim was made with.
    Running(String),
    /// It was answered with this.
    Answered(String),
}

impl Broker {
    /// Claims the request of this `name` for `time`. `mark` is what others find while it runs; `token` tells this claim
    /// from all others, even when the command is sent to Redis twice.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn claim(
        &self,
        name: &str,
        mark: &str,
        token: &str,
        time: Duration,
    ) -> Result<Claimed, BrokerError> {
        let claim = Claim { key: self.keys().idempotency(name), value: format!("{CLAIM}{token} {mark}") };
        let before: Option<String> = begin("idempotency_claim").end(
            self.client()
                .set(&claim.key, &claim.value, Some(Expiration::PX(millis(time))), Some(SetOptions::NX), true)
                .await,
        )?;
        let Some(before) = before.filter(|before| *before != claim.value) else {
            return Ok(Claimed::Now(claim));
        };
        if let Some(answer) = before.strip_prefix(ANSWER) {
            return Ok(Claimed::Answered(answer.to_owned()));
        }
        let mark = before.strip_prefix(CLAIM).and_then(|claim| claim.split_once(' '));
        let malformed = || BrokerError::Unexpected(format!("the value of {}", claim.key));
        mark.map(|(_, mark)| Claimed::Running(mark.to_owned())).ok_or_else(malformed)
    }

    /// Keeps the answer to a claimed request for `time`; says whether the claim still held.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn keep_answer(
        &self,
        claim: &Claim,
        answer: &str,
        time: Duration,
    ) -> Result<bool, BrokerError> {
        self.end_claim(claim, format!("{ANSWER}{answer}"), time).await
    }

    /// Lets the next request of this name run; says whether the claim still held.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn release(&self, claim: &Claim) -> Result<bool, BrokerError> {
        self.end_claim(claim, String::new(), Duration::ZERO).await
    }

    async fn end_claim(&self, claim: &Claim, answer: String, time: Duration) -> Result<bool, BrokerError> {
        let script = Script::new("idempotency", include_str!("../lua/idempotency.lua"));
        let arguments = vec![claim.value.clone(), answer, millis(time).to_string()];
        let answer = words(script.run(self.client(), vec![claim.key.clone()], arguments).await?)?;
        match answer.first().map(String::as_str) {
            Some("ok") => Ok(true),
            Some("lost") => Ok(false),
            _ => Err(BrokerError::Unexpected(answer.join(" "))),
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
