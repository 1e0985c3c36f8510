//! Every packet once, whole and in order: through the engine, held back, through the lane, and across the upgrade.

use parlance_gateway::socket::wire::{Transport, WireConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::super::app::eventually;
use super::super::client::{Polling, Ws};
use super::app::{App, Speaker, number};
use super::raw::{BINARY, Raw, TEXT};

/// What one test says to a socket.
const MANY: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_and_acknowledgements_keep_their_order_from_the_first_to_the_last() {
    let app = App::start(WireConfig::default()).await;
    for round in 0..10 {
        let mut client = Ws::connect(&app.address).await;
        let speaker = app.speaker(round).await;
        let mut saying = JoinSet::new();
        saying.spawn(speaker.clone().say_many(MANY / 2, 20));
        saying.spawn(speaker.clone().say_many(MANY / 2, 300));
        let acks = 300;
        for ack in 0..acks {
            client.send(&format!("42{ack}[\"ask\"]")).await;
        }
        for expected in 0..MANY + acks {
            assert_eq!(number(&client.next().await.unwrap(), ""), expected);
        }
        assert!(speaker.wire().killed().is_none());
        assert_eq!(speaker.wire().outstanding(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_in_the_middle_of_a_stream_loses_repeats_and_swaps_nothing() {
    let app = App::start(WireConfig::default()).await;
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let polling = Polling::connect(&app.address).await;
        let speaker = app.speaker(usize::try_from(seed).unwrap()).await;
        let mut saying = JoinSet::new();
        saying.spawn(speaker.clone().say_many(MANY / 2, 20));
        saying.spawn(speaker.clone().say_many(MANY / 2, 20));
        let before = random.random_range(0..MANY / 2);
        let mut next = 0;
        while next < before {
            next = take(next, &polling.get().await.body);
        }
        // A client probes while it goes on polling, waits for its last poll to end, and only then sends the `5`.
        let (upgraded, last) = tokio::join!(polling.upgrade(), polling.get());
        next = take(next, &last.body);
        let mut client = upgraded.unwrap();
        client.send("5").await;
        client.send("421[\"ask\"]").await;
        for expected in next..=MANY {
            assert_eq!(
                number(&client.next().await.unwrap(), ""),
                expected,
                "seed {seed}, upgraded at {next}"
            );
        }
        assert_eq!(speaker.wire().transport(), Transport::Upgraded);
        assert!(speaker.wire().killed().is_none());
    }
}

/// Reads a polling body on from a number.
fn take(mut next: u64, body: &str) -> u64 {
    // The engine pings right after the open, and answers polls with NOOP while it upgrades.
    for packet in body.split('\u{1e}').filter(|packet| !["2", "6", ""].contains(packet)) {
        assert_eq!(number(packet, ""), next);
        next += 1;
    }
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_reads_byte_by_byte_gets_whole_frames_in_order_from_engine_and_lane() {
    let app = App::start_narrow(WireConfig {
        ping_interval: std::time::Duration::from_millis(20),
        ..WireConfig::default()
    });
    for seed in 0..6 {
        let mut client = Raw::connect(&app.address).await;
        let speaker = app.speaker(usize::try_from(seed).unwrap()).await;
        let mut saying = JoinSet::new();
        saying.spawn(say_this_and_that(speaker.clone(), StdRng::seed_from_u64(seed)));
        let (mut said, mut broadcasts, mut attachments) = (0, 0, 0);
        let mut random = StdRng::seed_from_u64(seed + 1_000);
        while said < 400 || broadcasts < 200 || attachments < 100 {
            client.step = if random.random_range(0..10) == 0 { 10_000 } else { 1 };
            if random.random_range(0..50) == 0 {
                client.send("421[\"ask\"]").await;
            }
            let (opcode, payload) = client.packet().await.expect("all of it");
            assert_eq!(opcode, TEXT, "an attachment comes after its packet");
            let packet = String::from_utf8(payload).unwrap();
            if let Some(number) = packet.strip_prefix("42[\"broadcast\",") {
                let number: u64 = number.split(',').next().unwrap().parse().unwrap();
                assert_eq!(number, broadcasts, "seed {seed}");
                broadcasts += 1;
            } else if packet.starts_with("451-[\"attached\"") {
                let (opcode, payload) = client.packet().await.expect("an attachment");
                assert_eq!(opcode, BINARY, "nothing comes between a packet and its attachment");
                assert!(payload.iter().all(|byte| *byte == 7));
                attachments += 1;
            } else {
                assert_eq!(number(&packet, ""), said, "seed {seed}");
                said += 1;
            }
        }
        assert!(speaker.wire().killed().is_none());
    }
}

/// At least 400 things through the session, 200 broadcasts through the engine, 100 of them with attachments.
async fn say_this_and_that(speaker: Speaker, mut random: StdRng) {
    let lengths = [0, 1, 100, 125, 126, 1_000, 5_000];
    let (mut said, mut broadcasts, mut attachments) = (0, 0, 0);
    while said < 400 || broadcasts < 200 || attachments < 100 {
        let length = lengths[random.random_range(0..lengths.len())];
        match random.random_range(0..4) {
            0 | 1 if said < 400 => {
                speaker.say(length);
                said += 1;
            }
            2 if broadcasts < 200 => {
                speaker.socket.emit("broadcast", &(broadcasts, "y".repeat(length))).unwrap();
                broadcasts += 1;
            }
            3 if attachments < 100 => {
                speaker.socket.emit("attached", &bytes::Bytes::from(vec![7; length])).unwrap();
                attachments += 1;
            }
            _ => {}
        }
        // Sometimes the client catches up, so that frames are written at once, too.
        if random.random_range(0..20) == 0 {
            eventually("the client has read", || (speaker.wire().outstanding() < 2_000).then_some(())).await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_namespaces_of_one_wire_have_a_lane_each_and_end_each_on_its_own() {
    let app = App::start(WireConfig::default()).await;
    let mut client = Ws::connect(&app.address).await;
    let (main, mut saying) = (app.speaker(0).await, JoinSet::new());
    saying.spawn(main.clone().say_many(MANY, 20));
    client.send("40/other,").await;
    let (mut in_main, mut in_other) = (0, 0);
    let mut other = None;
    while in_main < MANY || in_other < MANY {
        let packet = client.next().await.unwrap();
        if packet.starts_with("40/other,") {
            let speaker = app.speaker(1).await;
            saying.spawn(speaker.clone().say_many(MANY, 20));
            other = Some(speaker);
        } else if packet.starts_with("42/other,") {
            assert_eq!(number(&packet, "/other,"), in_other);
            in_other += 1;
        } else {
            assert_eq!(number(&packet, ""), in_main);
            in_main += 1;
        }
    }
    let other = other.unwrap();
    other.socket.clone().disconnect().unwrap();
    assert_eq!(client.next().await.unwrap(), "41/other,");
    other.say(0);
    main.say(0);
    assert_eq!(number(&client.next().await.unwrap(), ""), MANY);
}

#[tokio::test]
async fn nothing_comes_after_a_disconnect() {
    let app = App::start(WireConfig::default()).await;
    for round in 0..20 {
        let mut client = Ws::connect(&app.address).await;
        let speaker = app.speaker(round).await;
        speaker.say(0);
        assert_eq!(number(&client.next().await.unwrap(), ""), 0);
        speaker.socket.clone().disconnect().unwrap();
        assert_eq!(client.next().await.unwrap(), "41");
        // Also when the session does not know of its end yet.
        speaker.say(0);
        client.send("40").await;
        let packet = client.next().await.unwrap();
        assert!(packet.starts_with("40{"), "{packet}");
        app.speakers.lock().unwrap().pop();
    }
}
