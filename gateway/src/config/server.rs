//! `[server]`: where clients and backends reach the gateway.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known};

use crate::{
    rest,
    socket::wire::SocketPath,
    web::origins::{self, Origins},
};

const HOST: Setting = Setting::new("server.host", "Where Socket.IO and REST are listened for.")
    .default("0.0.0.0")
    .env(well_known::HOST);
const PORT: Setting = Setting::new("server.port", "The port for Socket.IO and REST; 0 picks a free one.")
    .default("3000")
    .env(well_known::PORT);
const ORIGINS: Setting = Setting::new(
    "server.origins",
    "The origins of the web pages that may connect and read REST's answers, such as `https://app.example.com`, or `*` \
     for every page. A dialect may have its own. Cookies count only from pages that are listed. Clients that are no web \
     pages always may connect.",
)
.default("*")
.env(well_known::CLIENT_URL);
const SOCKET_PATH: Setting =
    Setting::new("server.socket_path", "The path of Socket.IO, as clients have it in their option `path`.")
        .default("/socket.io");
const TRUSTED_HOPS: Setting = Setting::new(
    "server.trusted_hops",
    "How many reverse proxies of yours stand in front. That many entries of `X-Forwarded-For`, counted from the \
     right, are believed; with 0 a client's address is that of its connection.",
)
.default("0");
const HSTS: Setting = Setting::new(
    "server.hsts",
    "How long browsers shall insist on TLS, such as `365d` (`Strict-Transport-Security`). Without it the header is not \
     sent: set it here only when what ends TLS in front does not send it.",
);

const TRY_PAGE: Setting = Setting::new(
    "server.try_page",
    "Whether the gateway serves a page at `/try` on which its dialects can be tried out by hand, over WebSocket or polling. Anybody \
     may open it; it does nothing without a token that is pasted into it, but it shows the words of all dialects. It connects from \
     the gateway's own origin, which `server.origins` has to let in. Paths of dialects below `/try` are not reached while it \
     is on.",
)
.default("false");

/// The longest time that `Strict-Transport-Security` is asked for.
const MOST_HSTS: Duration = Duration::from_secs(2 * 365 * 24 * 3_600);

/// Where clients and backends reach the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSection {
    /// A name or an address.
    pub host: String,
    /// 0 picks a free port.
    pub port: u16,
    /// The web pages that may connect.
    pub origins: Origins,
    /// Where Socket.IO is served.
    pub socket_path: SocketPath,
    /// How many entries of `X-Forwarded-For` are believed.
    pub trusted_hops: usize,
    /// How long browsers shall insist on TLS.
    pub hsts: Option<Duration>,
    /// Whether there is a page to try the dialects on.
    pub try_page: bool,
}

impl ServerSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] =
        &[HOST, PORT, ORIGINS, SOCKET_PATH, TRUSTED_HOPS, HSTS, TRY_PAGE];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let host = reader.require(&HOST, parse::host());
        let port = reader.require(&PORT, parse::number(0..=u16::MAX));
        let origins = reader.require(&ORIGINS, allowed);
        let socket_path = reader.require(&SOCKET_PATH, socket_path);
        let trusted_hops = reader.require(&TRUSTED_HOPS, parse::number(0..=16));
        let hsts = reader.optional(&HSTS, parse::duration(Duration::from_secs(1)..=MOST_HSTS));
        let try_page = reader.require(&TRY_PAGE, parse::boolean());
        Ok(Self {
            host: host?,
            port: port?,
            origins: origins?,
            socket_path: socket_path?,
            trusted_hops: trusted_hops?,
            hsts: hsts?,
            try_page: try_page?,
        })
    }
}

fn allowed(raw: &Raw) -> Result<Origins, Problem> {
    match raw.elements().as_slice() {
        [] => Err(Problem::new("names no origin").hint("list origins, or write * for every page")),
        ["*"] => Ok(Origins::Any),
        _ => parse::list(origin)(raw).map(Origins::List),
    }
}

fn origin(raw: &Raw) -> Result<String, Problem> {
    let text = raw.text()?;
    if text == "*" {
        return Err(Problem::new("is * beside others").hint("write * alone, or the origins alone"));
    }
    origins::parse(text).ok_or_else(|| {
        Problem::new("is not the origin of a web page")
            .hint("write a scheme, a host and perhaps a port: https://app.example.com, http://localhost:5173")
    })
}

fn socket_path(raw: &Raw) -> Result<SocketPath, Problem> {
    let path = SocketPath::parse(raw.text()?.trim())
        .map_err(|_| Problem::new("is not a path").hint("write it like /socket.io"))?;
    if rest::serves(path.as_str()) {
        return Err(Problem::new("is where REST is served").hint("write it like /socket.io"));
    }
    Ok(path)
}
