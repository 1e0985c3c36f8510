//! The tasks that run, counted by name, so that a drain can wait for them and say which ones it waits for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    tracker: TaskTracker,
    names: Arc<Mutex<Names>>,
}

type Names = BTreeMap<&'static str, usize>;

impl Roster {
    pub(super) fn spawn<F>(&self, runtime: &runtime::Handle, name: &'static str, task: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entry = Entry::enter(&self.names, name);
        let task = async move {
            let _entry = entry;
            task.await;
        };
        self.tracker.spawn_on(task, runtime).abort_handle()
    }

    /// Resolves when no task is left. Tasks that are spawned meanwhile are waited for too.
    pub(super) async fn all_ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// The names and numbers of the running tasks, for a log line.
    pub(super) fn running(&self) -> Running {
        Running(lock(&self.names).clone())
    }
}

/// Shows `name×count, …`.
pub(super) struct Running(Names);

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}×{count}")?;
        }
        Ok(())
    }
}

/// One running task; dropped with it, however it ends.
struct Entry {
    names: Arc<Mutex<Names>>,
    name: &'static str,
}

impl Entry {
    fn enter(names: &Arc<Mutex<Names>>, name: &'static str) -> Self {
        *lock(names).entry(name).or_default() += 1;
        Self { names: Arc::clone(names), name }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut names = lock(&self.names);
        if let Some(count) = names.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(self.name);
            }
        }
    }
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn running_tasks_are_counted_by_name_and_leave_when_they_end() {
        let roster = Roster::default();
        let runtime = runtime::Handle::current();
        for _ in 0..2 {
            roster.spawn(&runtime, "waiting", std::future::pending());
        }
        let other = roster.spawn(&runtime, "other", std::future::pending());
        assert_eq!(roster.running().to_string(), "other×1, waiting×2");
        other.abort();
        tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while roster.running().to_string() != "waiting×2" {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the aborted task leaves the roster");
    }
}
