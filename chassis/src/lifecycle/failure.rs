//! How a task ended that should not have, told once in the log.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::metrics::TASK_PANICS;

/// The text and the causes of any error, or just a text.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Runs a task; a panic in it is logged with the name and counted, and becomes `None`.
pub(super) async fn catch_panic<F: Future>(name: &'static str, task: F) -> Option<F::Output> {
    // Unwind safety: what the task owned is dropped with it, and shared state is behind locks that tolerate poison.
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(output) => Some(output),
        Err(payload) => {
            metrics::counter!(TASK_PANICS.name, "task" => name).increment(1);
            tracing::error!(task = name, panic = message(payload.as_ref()), "task panicked");
            None
        }
    }
}

/// Logs the error that ended a critical task, with its causes.
pub(super) fn log_error(name: &'static str, error: &BoxError) {
    tracing::error!(task = name, error = chain(error.as_ref()), "critical task failed");
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text")
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn an_error_is_told_with_its_causes() {
        let inner = std::fmt::Error;
        assert_eq!(chain(&Outer(inner)), format!("outer: {inner}"));
    }

    #[tokio::test]
    async fn a_panic_is_caught() {
        assert_eq!(catch_panic("t", async { panic!("no") }).await, None::<()>);
        assert_eq!(catch_panic("t", async { 7 }).await, Some(7));
    }

    #[test]
    fn panic_texts_of_both_kinds_are_read() {
        assert_eq!(message(&"fixed"), "fixed");
        assert_eq!(message(&String::from("made")), "made");
        assert_eq!(message(&7_u8), "a panic without text");
    }
}
