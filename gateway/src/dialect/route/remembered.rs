//! The answer of a moment ago, for what everybody asks: however often it is asked for, it is found out once.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// The last answer of a route, for as long as it holds.
#[derive(Debug)]
pub struct Remembered {
    keep: Duration,
    last: Mutex<Option<(Instant, String)>>,
}

impl Remembered {
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, last: Mutex::const_new(None) }
    }

    /// What was answered a moment ago, else what `find` says now. Who asks while it is being found waits for that.
    ///
    /// # Errors
    /// Those of `find`, which are not remembered.
    pub async fn get_or<E>(&self, find: impl Future<Output = Result<String, E>>) -> Result<String, E> {
        let mut last = self.last.lock().await;
        if let Some((at, body)) = &*last
            && at.elapsed() < self.keep
        {
            return Ok(body.clone());
        }
        let body = find.await?;
        *last = Some((Instant::now(), body.clone()));
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_for_its_time_and_a_failure_not_at_all() {
        let remembered = Remembered::new(Duration::from_secs(2));
        let asked = async |said: Result<&str, ()>| remembered.get_or(async { said.map(str::to_owned) }).await;
        assert_eq!(asked(Err(())).await, Err(()));
        assert_eq!(asked(Ok("one")).await.as_deref(), Ok("one"));
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert_eq!(asked(Ok("two")).await.as_deref(), Ok("one"));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(asked(Ok("two")).await.as_deref(), Ok("two"));
    }
}
