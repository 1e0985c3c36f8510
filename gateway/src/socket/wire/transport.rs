//! How bytes travel, and why that was ended. Values only.

/// How a session's bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// Polling, with a WebSocket that has not taken over yet.
    Upgrading,
    /// WebSocket, after polling.
    Upgraded,
    /// WebSocket from the start.
    WebSocket,
}

impl Transport {
    /// For logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Upgrading => "upgrading",
            Self::Upgraded => "upgraded",
            Self::WebSocket => "websocket",
        }
    }

    pub(super) fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Polling,
            1 => Self::Upgrading,
            2 => Self::Upgraded,
            _ => Self::WebSocket,
        }
    }
}

/// Why the gateway ended a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KillReason {
    /// The client did not read what was sent to it.
    SlowReader = 1,
    /// The gateway is being drained; clients shall go elsewhere.
    Drain,
    /// The process ends now.
    Shutdown,
    /// The gateway has too much to do.
    Overload,
    /// What the client does had to be refused over and over.
    Abuse,
    /// The client sent more than is allowed in one piece.
    Oversized,
    /// The client sent too much before it was let in.
    Stranger,
    /// A Socket.IO DISCONNECT was sent; this makes sure that the client goes.
    Disconnected,
    /// Writing failed: the client is gone. Not counted as a kill.
    Broken,
}

impl KillReason {
    /// For logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::Drain => "drain",
            Self::Shutdown => "shutdown",
            Self::Overload => "overload",
            Self::Abuse => "abuse",
            Self::Oversized => "oversized",
            Self::Stranger => "stranger",
            Self::Disconnected => "disconnected",
            Self::Broken => "broken",
        }
    }

    pub(super) fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::SlowReader,
            2 => Self::Drain,
            3 => Self::Shutdown,
            4 => Self::Overload,
            5 => Self::Abuse,
            6 => Self::Oversized,
            7 => Self::Stranger,
            8 => Self::Disconnected,
            9 => Self::Broken,
            _ => return None,
        })
    }

    /// The WebSocket close frame with which a client is told.
    pub(super) fn close_frame(self) -> [u8; 4] {
        let [high, low] = self.close_code().to_be_bytes();
        [0x88, 2, high, low]
    }

    /// The status code of the WebSocket close frame (RFC 6455, 7.4.1).
    fn close_code(self) -> u16 {
        match self {
            Self::Drain | Self::Shutdown | Self::Broken => 1001,
            Self::Overload => 1013,
            Self::Oversized => 1009,
            Self::SlowReader | Self::Abuse | Self::Stranger => 1008,
            Self::Disconnected => 1000,
        }
    }
}
