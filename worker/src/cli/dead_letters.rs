//! `worker dead-letters`: entries that cannot be written.

use std::io::Write;

use clap::{Args, Subcommand};
use parlance_store::Store;
use serde_json::json;

use super::Failure;
use crate::dead_letter::{self, DeadLetter, Retried};

/// How many are handled at a time.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show them, oldest first, without what was said.
    List {
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only those with higher numbers.
        #[arg(long, default_value_t = 0, value_name = "ID")]
        after: i64,
        /// A JSON object a line, with the whole entry.
        #[arg(long)]
        json: bool,
    },
    /// Write them, after whatever was wrong has been put right. Newer states are not overwritten.
    Retry(Which),
    /// Delete them for good.
    Drop(Which),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Their numbers.
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// Every one there is.
    #[arg(long)]
    all: bool,
}

impl Verb {
    pub(super) async fn obey(self, store: &Store, output: &mut impl Write) -> Result<(), Failure> {
        match self {
            Verb::List { limit, after, json } => list(store, after, limit, json, output).await,
            Verb::Retry(which) => retry(store, which, output).await,
            Verb::Drop(which) => drop(store, which, output).await,
        }
    }
}

async fn list(
    store: &Store,
    after: i64,
    limit: u32,
    json: bool,
    output: &mut impl Write,
) -> Result<(), Failure> {
    for letter in dead_letter::list(store, after, limit).await? {
        if json {
            writeln!(output, "{}", as_json(&letter))?;
        } else {
            writeln!(output, "{}", as_line(&letter))?;
        }
    }
    Ok(())
}

/// Everything on one line: quoted, because an entry may hold anything.
fn as_line(letter: &DeadLetter) -> String {
    let DeadLetter { id, stream, partition, entry_id, reason, parked_at, .. } = letter;
    let parked_at = parked_at.to_rfc3339();
    let sqlstate = letter.sqlstate.as_deref().unwrap_or("-");
    let conversation = String::from_utf8_lossy(&letter.conversation);
    let header = String::from_utf8_lossy(&letter.header);
    let bytes = letter.body.len();
    format!(
        "id={id} parked_at={parked_at} stream={stream} partition={partition} entry={entry_id} \
         conversation={conversation:?} header={header:?} body_bytes={bytes} sqlstate={sqlstate} reason={reason:?}"
    )
}

fn as_json(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id,
        "parkedAt": letter.parked_at.to_rfc3339(),
        "stream": letter.stream,
        "partition": letter.partition,
        "entry": letter.entry_id,
        "conversation": String::from_utf8_lossy(&letter.conversation),
        "header": String::from_utf8_lossy(&letter.header),
        "body": String::from_utf8_lossy(&letter.body),
        "sqlstate": letter.sqlstate,
        "reason": letter.reason,
    })
}

async fn retry(store: &Store, which: Which, output: &mut impl Write) -> Result<(), Failure> {
    let mut failed = 0;
    let mut numbers = Numbers::new(which);
    while let Some(ids) = numbers.next(store).await? {
        for id in ids {
            match dead_letter::retry(store, id).await? {
                Retried::Written => writeln!(output, "id={id} written")?,
                Retried::Refused(reason) => {
                    failed += 1;
                    writeln!(output, "id={id} refused reason={reason:?}")?;
                }
                Retried::Missing => {
                    failed += 1;
                    writeln!(output, "id={id} missing")?;
                }
            }
        }
    }
    all_done(failed)
}

async fn drop(store: &Store, which: Which, output: &mut impl Write) -> Result<(), Failure> {
    let mut failed = 0;
    let mut numbers = Numbers::new(which);
    while let Some(ids) = numbers.next(store).await? {
        for id in ids {
            let there = dead_letter::delete(store, id).await?;
            failed += u64::from(!there);
            writeln!(output, "id={id} {}", if there { "dropped" } else { "missing" })?;
        }
    }
    all_done(failed)
}

fn all_done(failed: u64) -> Result<(), Failure> {
    if failed == 0 { Ok(()) } else { Err(Failure::Other(format!("{failed} dead letters are as before"))) }
}

/// The numbers that were asked for, in pages.
enum Numbers {
    Named(Vec<i64>),
    AllAfter(i64),
}

impl Numbers {
    fn new(which: Which) -> Self {
        if which.all { Self::AllAfter(0) } else { Self::Named(which.ids) }
    }

    async fn next(&mut self, store: &Store) -> Result<Option<Vec<i64>>, Failure> {
        let page = match self {
            Self::Named(ids) => std::mem::take(ids),
            Self::AllAfter(after) => {
                let page = dead_letter::list(store, *after, PAGE).await?;
                let ids: Vec<i64> = page.iter().map(|letter| letter.id).collect();
                *after = ids.last().copied().unwrap_or(*after);
                ids
            }
        };
        Ok((!page.is_empty()).then_some(page))
    }
}
