//! Mangled packets over a real connection: whatever comes, others are served.

use proptest::test_runner::Config as ProptestConfig;
use serde_json::json;

use super::mutate::Mutator;
use crate::{
    app::TestApp,
    client::{Client, token},
    dialect::packets,
    wire::client::{Ws, http},
};

/// A connection takes this many, if it lasts.
const PACKETS_A_CONNECTION: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_one_client_sends_another_one_is_served() {
    let app = TestApp::new().await;
    // Floods are another test's.
    let gateway =
        app.gateway(&[("limits.connects_per_second", "100000"), ("limits.connects_burst", "100000")]).await;
    let witness = Client::connect(&gateway, "witness").await;
    let token = token("mallory");
    let begun: u64 = rand::random();
    println!("from number {begun}");
    let packets: Vec<String> =
        packets().iter().map(|packet| format!("42{packet}")).chain(engine_packets()).collect();
    let cases = u64::from(ProptestConfig::default().cases);
    for round in 0..cases.div_ceil(PACKETS_A_CONNECTION) {
        let mut mallory = Ws::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket", "")
            .await
            .expect("a connection");
        mallory.send(&format!("40{}", json!({"token": token}))).await;
        for number in 0..PACKETS_A_CONNECTION {
            let packet =
                Mutator::new(begun.wrapping_add(round * PACKETS_A_CONNECTION + number)).mangle(&packets);
            if !mallory.try_send(&packet).await {
                break;
            }
        }
        // The same as the body of a polling request for a session that is not there, and as a REST request.
        let body = Mutator::new(begun ^ round).mangle(&packets);
        let post =
            http(&gateway.address, "POST", "/socket.io/?EIO=4&transport=polling&sid=x", "", &body).await;
        assert!((400..500).contains(&post.status), "{}: {body}", post.status);
        let json = "Content-Type: application/json\r\n";
        let post = http(&gateway.address, "POST", "/v1/conversations", json, &body).await;
        assert_eq!(post.status, 401, "{body}");
        let alive = witness.call("echo", json!(round)).await;
        assert_eq!(alive["echo"], json!(round));
    }
    app.end().await;
}

/// What is no event: acknowledgements, binary packets, other namespaces, what the engine speaks.
fn engine_packets() -> Vec<String> {
    [
        "40",
        "41",
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "43",
        "430[]",
        "4399999999999999999999[1]",
        r#"451-["message:send",{"_placeholder":true,"num":0}]"#,
        r#"4599999999999-["a"]"#,
        r#"42/other,["ping"]"#,
        r#"42/,["ping"]"#,
        r#"40/admin,{"token":"a"}"#,
        r#"421["ping"]"#,
        r#"42-1["ping"]"#,
        "44{}",
        "46",
        "47",
        "b",
        "bAAAA",
        "2probe",
        "42",
        "42[",
        r#"42["ping""#,
        r#"42[1]"#,
        "42[]",
        "42{}",
        r#"42["conn\u0065ct"]"#,
    ]
    .iter()
    .map(|packet| (*packet).to_owned())
    .collect()
}
