//! `gateway healthcheck`: asks the gateway that runs with the same configuration whether it is ready, for container
//! images that have no HTTP client.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    process::ExitCode,
    time::Duration,
};

use parlance_chassis::{config::Sources, config::sections::AdminSection, exit};

use super::{Failure, print, section};

const DEADLINE: Duration = Duration::from_secs(3);
const MOST_ANSWER_BYTES: u64 = 64 * 1024;

/// Exits with 0 when it is ready, with 1 when it is not or does not answer.
pub(super) fn check(sources: &Sources) -> Result<ExitCode, Failure> {
    let admin = section(sources, AdminSection::read)?;
    if admin.port == 0 {
        return Err(Failure::usage("admin.port is 0: the gateway picks a port that nobody else knows"));
    }
    let answer = ask(&admin)
        .map_err(|error| Failure::other(format!("{}:{} does not answer: {error}", admin.host, admin.port)))?;
    let (ready, body) = read(&answer);
    print(&format!("{}\n", body.trim()));
    Ok(ExitCode::from(if ready { exit::SUCCESS } else { exit::FAILURE }))
}

fn ask(admin: &AdminSection) -> io::Result<String> {
    // A listener on all addresses is asked on the loopback one.
    let host = match admin.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let nowhere = || io::Error::other("the host has no address");
    let address = (host, admin.port).to_socket_addrs()?.next().ok_or_else(nowhere)?;
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    write!(stream, "GET /ready HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether the status is 200, and the body.
fn read(answer: &str) -> (bool, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    (head.split(' ').nth(1) == Some("200"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_ready() {
        assert_eq!(read("HTTP/1.0 200 OK\r\na: b\r\n\r\n{}"), (true, "{}"));
        assert_eq!(read("HTTP/1.0 503 Service Unavailable\r\n\r\n{1}"), (false, "{1}"));
        assert_eq!(read(""), (false, ""));
        assert_eq!(read("200"), (false, ""));
    }
}
