//! The settings of the wire, as valid values. Reading them from a file or the environment is not done here.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::Uri;

use super::pace::LEAST;
use crate::limits::{Entrance, Rate};
use crate::web::origins::{Allowed, AllowedNow, Origins};

/// Engine.IO, Socket.IO and transport settings of the Socket.IO endpoint.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// Where Socket.IO is served; every entry is an equal alias. Never empty after [`WireConfig::check`].
    pub paths: SocketPaths,
    /// Which web pages may connect; which of them may where is for who knows the namespaces.
    pub origins: AllowedNow,
    /// How many reverse proxies of one's own stand in front: that many entries of `X-Forwarded-For`, counted
    /// from the right, are believed. 0 takes the address of the TCP connection.
    pub trusted_hops: usize,
    /// Time between two Engine.IO pings.
    pub ping_interval: Duration,
    /// How long a pong may take before the session ends.
    pub ping_timeout: Duration,
    /// How long a session may live without being connected to a namespace.
    pub connect_timeout: Duration,
    /// How long a polling session may take to change to WebSocket.
    pub upgrade_timeout: Duration,
    /// How long the body of one polling POST may take to arrive.
    pub body_timeout: Duration,
    /// Most bytes of a WebSocket frame or message from a client.
    pub max_message_bytes: usize,
    /// Most bytes of a polling body, in both directions; clients learn it as `maxPayload`.
    pub max_payload_bytes: usize,
    /// Most packets that wait for one client inside the engine; beyond it an emit is an error.
    pub max_buffer_packets: usize,
    /// Read buffer of one WebSocket. It is allocated for the life of the connection.
    pub ws_read_buffer_bytes: usize,
    /// How many packets one client may bring, of whatever kind; [`packets_beside`](super::packets_beside) the events of its
    /// sockets. What comes faster is not read until it is due.
    pub packets: Rate,
    /// Who may open a session; everybody when there is none.
    pub entrance: Option<Arc<Entrance>>,
    /// When a client that does not read is given up.
    pub slow_reader: SlowReader,
    /// Whether frames may be written past the engine. Only benchmarks turn it off.
    pub fast_lane: bool,
}

/// When a client that does not read is given up; whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct SlowReader {
    /// Longest time without any progress while something waits to be read. Checked once a second.
    pub deadline: Duration,
    /// Most bytes that may wait.
    pub bytes: usize,
}

impl Default for SlowReader {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(8), bytes: 4 << 20 }
    }
}

impl Default for WireConfig {
    fn default() -> Self {
        Self {
            paths: SocketPaths::new([SocketPath(super::request::ENGINE_PATH.to_owned())]),
            origins: AllowedNow::new(Allowed::by([&Origins::Any])),
            trusted_hops: 0,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_message_bytes: 2 << 20,
            max_payload_bytes: 2 << 20,
            max_buffer_packets: 4096,
            ws_read_buffer_bytes: 512,
            packets: LEAST,
            entrance: None,
            slow_reader: SlowReader::default(),
            fast_lane: true,
        }
    }
}

/// A setting with which no endpoint can be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must not be {what}")]
pub struct WireConfigError {
    /// The field of [`WireConfig`].
    pub key: &'static str,
    /// What it is and must not be: `zero` or `empty`.
    pub what: &'static str,
}

impl WireConfig {
    /// # Errors
    /// The first setting that the engine would panic on or that would refuse every client.
    pub fn check(&self) -> Result<(), WireConfigError> {
        let zero = |key, zero| {
            if zero { Err(WireConfigError { key, what: "zero" }) } else { Ok(()) }
        };
        if self.paths.is_empty() {
            return Err(WireConfigError { key: "paths", what: "empty" });
        }
        zero("ping_interval", self.ping_interval.is_zero())?;
        zero("ping_timeout", self.ping_timeout.is_zero())?;
        zero("connect_timeout", self.connect_timeout.is_zero())?;
        zero("upgrade_timeout", self.upgrade_timeout.is_zero())?;
        zero("body_timeout", self.body_timeout.is_zero())?;
        zero("max_message_bytes", self.max_message_bytes == 0)?;
        zero("max_payload_bytes", self.max_payload_bytes == 0)?;
        zero("max_buffer_packets", self.max_buffer_packets == 0)?;
        zero("ws_read_buffer_bytes", self.ws_read_buffer_bytes == 0)?;
        zero("slow_reader.deadline", self.slow_reader.deadline.is_zero())?;
        zero("slow_reader.bytes", self.slow_reader.bytes == 0)
    }
}

/// A path like `/socket.io`: absolute, literal, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPath(String);

/// A text is not a [`SocketPath`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path like /socket.io")]
pub struct BadSocketPath(String);

impl SocketPath {
    /// Takes `/socket.io` and `/socket.io/` alike.
    ///
    /// # Errors
    /// When the text is not absolute, is `/`, or holds anything but letters, digits and `- . _ ~ /`.
    pub fn parse(text: &str) -> Result<Self, BadSocketPath> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if path.len() > 1 && path.starts_with('/') && !path.contains("//") && path.bytes().all(plain) {
            Ok(Self(path.to_owned()))
        } else {
            Err(BadSocketPath(text.to_owned()))
        }
    }

    /// The path without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where Socket.IO is served now; it can change while requests come in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SocketPaths(Arc<RwLock<Served>>);

#[derive(Debug, Default)]
struct Served {
    now: BTreeSet<String>,
    /// Where sessions were opened that may still be there.
    earlier: BTreeSet<String>,
}

impl SocketPaths {
    /// These, until others are said.
    pub fn new(paths: impl IntoIterator<Item = SocketPath>) -> Self {
        let now = paths.into_iter().map(|path| path.0).collect();
        Self(Arc::new(RwLock::new(Served { now, earlier: BTreeSet::new() })))
    }

    /// From now on sessions are opened at these.
    pub fn set(&self, paths: impl IntoIterator<Item = SocketPath>) {
        let mut served = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = paths.into_iter().map(|path| path.0).collect();
        let before = std::mem::replace(&mut served.now, now);
        served.earlier.extend(before);
    }

    /// Whether what is asked for is at one of them, with a slash at its end or without; at an earlier one, whether it is
    /// about a session.
    pub fn serve(&self, asked: &Uri) -> bool {
        let path = asked.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        let of_session =
            || asked.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("sid=")));
        let served = self.0.read().unwrap_or_else(PoisonError::into_inner);
        served.now.contains(path) || (served.earlier.contains(path) && of_session())
    }

    fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).now.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(WireConfig::default().check(), Ok(()));
    }

    #[test]
    fn a_zero_names_its_key() {
        let config = WireConfig { max_buffer_packets: 0, ..WireConfig::default() };
        assert_eq!(config.check().unwrap_err().to_string(), "max_buffer_packets must not be zero");
    }

    #[test]
    fn paths_are_absolute_and_literal() {
        assert_eq!(SocketPath::parse("/socket.io/").unwrap().as_str(), "/socket.io");
        assert_eq!(SocketPath::parse("/api/ws").unwrap().as_str(), "/api/ws");
        for bad in ["", "/", "//", "socket.io", "/a//b", "/{id}", "/*rest", "/a?b"] {
            assert!(SocketPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_that_went_away_opens_no_session_and_serves_those_that_it_opened() {
        let path = |text: &str| SocketPath::parse(text).unwrap();
        let paths = SocketPaths::new([path("/one"), path("/two")]);
        let serve = |uri: &'static str| paths.serve(&Uri::from_static(uri));
        assert!(serve("/one") && serve("/two/?EIO=4") && !serve("/three?sid=x") && !serve("/one/more"));
        paths.set([path("/one"), path("/three")]);
        assert!(serve("/one/") && serve("/three?EIO=4"));
        assert!(!serve("/two?EIO=4&transport=polling") && serve("/two/?EIO=4&sid=x"));
    }
}
