//! How a process ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parlance_chassis::lifecycle::{Handle, Lifecycle};
use parlance_chassis::metrics;
use tokio::sync::oneshot;

use crate::support::{AMPLE, end, failure, soon, success};

/// A request that runs until it is told to finish, and a flag that shows that it did.
fn pending_request(handle: &Handle) -> (oneshot::Sender<()>, Arc<AtomicBool>) {
    let (finish, told) = oneshot::channel();
    let finished = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&finished);
    handle.spawn_request("request", async move {
        let _ = told.await;
        flag.store(true, Ordering::SeqCst);
    });
    (finish, finished)
}

async fn panicking() -> Result<(), Infallible> {
    panic!("boom")
}

#[tokio::test]
async fn a_stop_without_tasks_ends_the_process_well() {
    let lifecycle = Lifecycle::without_signals();
    lifecycle.handle().stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn a_critical_task_that_fails_ends_the_process_after_draining() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (finish, finished) = pending_request(&handle);
    handle.spawn("consumer", async { Err("the stream is gone") });
    let drained = handle.soft();
    handle.spawn("witness", async move {
        drained.cancelled().await;
        finish.send(()).map_err(|()| "the request is gone")
    });
    assert_eq!(end(lifecycle, AMPLE).await, failure());
    assert!(finished.load(Ordering::SeqCst), "the request was waited for");
}

#[tokio::test]
async fn a_critical_task_that_panics_ends_the_process_with_a_failure() {
    let lifecycle = Lifecycle::without_signals();
    lifecycle.handle().spawn("consumer", panicking());
    assert_eq!(end(lifecycle, AMPLE).await, failure());
}

#[tokio::test]
async fn a_support_task_that_fails_ends_the_process_with_a_failure() {
    let lifecycle = Lifecycle::without_signals();
    lifecycle.handle().spawn_support("connection", async { Err(std::io::Error::other("refused")) });
    assert_eq!(end(lifecycle, AMPLE).await, failure());
}

#[tokio::test]
async fn a_critical_task_that_is_done_does_not_end_the_process() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (done, is_done) = oneshot::channel();
    handle.spawn("setup", async move {
        let _ = done.send(());
        Ok::<_, Infallible>(())
    });
    soon("the end of the task", is_done).await.unwrap();
    assert!(!handle.soft().is_cancelled());
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn a_panicking_request_is_counted_and_ends_nothing_else() {
    let metrics = metrics::install().unwrap();
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (started, has_started) = oneshot::channel();
    handle.spawn_request("panicking request", async move {
        let _ = started.send(());
        panic!("boom");
    });
    soon("the start of the request", has_started).await.unwrap();
    let (finish, finished) = pending_request(&handle);
    finish.send(()).unwrap();
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
    assert!(finished.load(Ordering::SeqCst));
    let counted = r#"parlance_task_panics_total{task="panicking request"} 1"#;
    assert!(metrics.render().contains(counted), "{}", metrics.render());
}

#[tokio::test]
async fn the_drain_waits_for_requests_and_for_those_that_they_spawn() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let finished = Arc::new(AtomicBool::new(false));
    let (flag, inner) = (Arc::clone(&finished), handle.clone());
    let soft = handle.soft();
    handle.spawn_request("parent", async move {
        soft.cancelled().await;
        inner.spawn_request("child", async move {
            tokio::task::yield_now().await;
            flag.store(true, Ordering::SeqCst);
        });
    });
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
    assert!(finished.load(Ordering::SeqCst));
}

#[tokio::test]
async fn support_lives_until_the_work_is_done() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (finish, finished) = pending_request(&handle);
    let (soft, hard) = (handle.soft(), handle.hard());
    handle.spawn_support("connection", async move {
        soft.cancelled().await;
        assert!(!hard.is_cancelled(), "the drain has only begun");
        finish.send(()).unwrap();
        hard.cancelled().await;
        assert!(finished.load(Ordering::SeqCst), "the work was done before");
        Ok::<_, Infallible>(())
    });
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn the_drain_deadline_is_a_hard_stop() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let hard = handle.hard();
    handle.spawn_request("long", async move { hard.cancelled().await });
    handle.stop();
    assert_eq!(end(lifecycle, Duration::from_millis(20)).await, success());
}

#[tokio::test]
async fn a_hard_stop_does_not_wait_for_the_deadline() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (soft, hard) = (handle.soft(), handle.hard());
    handle.spawn_request("long", async move { hard.cancelled().await });
    handle.stop_now();
    assert!(soft.is_cancelled(), "a hard stop is a soft stop too");
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn a_task_that_ignores_the_hard_stop_is_abandoned_with_a_failure() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    handle.spawn_request("deaf", std::future::pending());
    handle.stop_now();
    assert_eq!(end(lifecycle, AMPLE).await, failure());
}

#[tokio::test]
async fn an_aborted_request_is_not_waited_for() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    handle.spawn_request("socket", std::future::pending()).abort();
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn a_thread_outside_the_runtime_can_spawn() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (done, is_done) = oneshot::channel();
    let outside = handle.clone();
    let thread = std::thread::spawn(move || {
        outside.spawn_request("from outside", async move {
            let _ = done.send(());
        });
    });
    soon("the task of the other thread", is_done).await.unwrap();
    thread.join().unwrap();
    handle.stop();
    assert_eq!(end(lifecycle, AMPLE).await, success());
}
