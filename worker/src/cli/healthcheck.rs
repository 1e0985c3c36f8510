//! `worker healthcheck`: for container runtimes that can only start a command.

use std::{io, time::Duration};

use parlance_chassis::config::sections::AdminSection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Failure;

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// The most of an answer that is read, in bytes.
const MOST: u64 = 16 * 1024;

/// Asks `/ready` of the admin listener that the configuration names.
pub(super) async fn ask(admin: &AdminSection) -> Result<(), Failure> {
    let answer = tokio::time::timeout(DEADLINE, get(reachable(&admin.host), admin.port)).await;
    let answer = answer
        .map_err(|_elapsed| Failure::Other(String::from("no answer in time")))?
        .map_err(|error| Failure::Other(format!("no answer: {error}")))?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_head, body)| body);
    Err(Failure::Other(format!("not ready: {body}")))
}

/// A listener on every address is asked on the loopback.
fn reachable(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    }
}

async fn get(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
