//! Clients that do not read, and transports that end while something waits for them.

use std::time::Duration;

use parlance_gateway::socket::wire::{KillReason, SlowReader, WireConfig};

use super::super::app::{DEADLINE, eventually};
use super::super::client::{Polling, Ws};
use super::app::{App, number};
use super::raw::{CLOSE, Raw, TEXT};

#[tokio::test]
async fn a_client_that_reads_nothing_of_its_lane_is_gone_after_the_deadline() {
    let slow_reader = SlowReader { deadline: Duration::from_millis(100), bytes: 1 << 30 };
    let app = App::start_narrow(WireConfig { slow_reader, ..WireConfig::default() });
    let client = Raw::connect(&app.address).await;
    let speaker = app.speaker(0).await;
    eventually("more waits than the buffers take", || {
        speaker.say(10_000);
        (speaker.wire().outstanding() > 200_000).then_some(())
    })
    .await;
    eventually("it is killed", || speaker.wire().killed()).await;
    assert_eq!(speaker.wire().killed(), Some(KillReason::SlowReader));
    tokio::time::timeout(DEADLINE, app.wires.emptied()).await.unwrap();
    drop(client);
}

#[tokio::test]
async fn a_lane_holds_no_more_than_the_bound_in_bytes() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 100_000 };
    let app = App::start_narrow(WireConfig { slow_reader, ..WireConfig::default() });
    let mut client = Raw::connect(&app.address).await;
    let speaker = app.speaker(0).await;
    while speaker.wire().killed().is_none() {
        speaker.say(1_000);
        assert!(speaker.wire().outstanding() <= slow_reader.bytes + 2_000);
        tokio::task::yield_now().await;
    }
    assert_eq!(speaker.wire().killed(), Some(KillReason::SlowReader));
    tokio::time::timeout(DEADLINE, app.wires.emptied()).await.unwrap();
    // What had left is whole and in order, up to a frame that was cut off: nothing follows it.
    client.step = 1_000;
    let mut expected = 0;
    while let Some((opcode, payload)) = client.packet().await {
        if opcode == TEXT {
            assert_eq!(number(&String::from_utf8(payload).unwrap(), ""), expected);
            expected += 1;
        } else {
            assert_eq!(opcode, CLOSE);
        }
    }
    assert!(expected > 0);
}

#[tokio::test]
async fn what_is_held_back_counts_against_the_bound() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 100_000 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let _client = Ws::connect(&app.address).await;
    let speaker = app.speaker(0).await;
    // One thread, no await: the engine cannot write the marker meanwhile.
    for _ in 0..=100 {
        speaker.say(1_000);
    }
    assert_eq!(speaker.wire().killed(), Some(KillReason::SlowReader));
}

#[tokio::test]
async fn a_client_that_catches_up_in_time_is_kept() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 1 << 20 };
    let app = App::start_narrow(WireConfig { slow_reader, ..WireConfig::default() });
    let mut client = Raw::connect(&app.address).await;
    client.step = 4_096;
    let speaker = app.speaker(0).await;
    let mut expected = 0;
    for _ in 0..10 {
        for _ in 0..40 {
            speaker.say(10_000);
        }
        for _ in 0..40 {
            let (_, payload) = client.packet().await.unwrap();
            assert_eq!(number(&String::from_utf8(payload).unwrap(), ""), expected);
            expected += 1;
        }
    }
    eventually("nothing waits", || (speaker.wire().outstanding() == 0).then_some(())).await;
    assert_eq!(speaker.wire().stalled_for(std::time::Instant::now()), Duration::ZERO);
    assert!(speaker.wire().killed().is_none());
}

#[tokio::test]
async fn a_kill_says_goodbye_between_frames_and_never_inside_one() {
    let app = App::start_narrow(WireConfig::default());
    let mut idle = Raw::connect(&app.address).await;
    app.speaker(0).await.wire().kill(KillReason::Drain);
    assert_eq!(idle.packet().await, Some((CLOSE, 1001_u16.to_be_bytes().to_vec())));
    assert_eq!(idle.packet().await, None);

    let mut busy = Raw::connect(&app.address).await;
    let speaker = app.speaker(1).await;
    speaker.say(1_000_000);
    eventually("the lane is open", || (speaker.wire().bytes_sent() > 1_000).then_some(())).await;
    speaker.wire().kill(KillReason::Drain);
    speaker.say(0);
    busy.step = 10_000;
    assert_eq!(busy.packet().await, None, "the frame was cut off, and nothing came after it");
    tokio::time::timeout(DEADLINE, app.wires.emptied()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let app = App::start(WireConfig::default()).await;
    for round in 0..20 {
        let client = Ws::connect(&app.address).await;
        let speaker = app.speaker(round).await;
        speaker.say(100_000);
        drop(client);
        eventually("the session ends", || {
            speaker.say(1_000);
            speaker.session.has_ended().then_some(())
        })
        .await;
        assert_eq!(speaker.wire().outstanding(), 0);
    }
    app.speakers.lock().unwrap().clear();
    tokio::time::timeout(DEADLINE, app.wires.emptied()).await.unwrap();
}

#[tokio::test]
async fn a_polling_client_is_bounded_as_before() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 100_000 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let _client = Polling::connect(&app.address).await;
    let speaker = app.speaker(0).await;
    for _ in 0..=100 {
        speaker.say(1_000);
    }
    assert_eq!(speaker.wire().killed(), Some(KillReason::SlowReader));
}
