//! `[server]`: where clients and backends reach the gateway.

use parlance_chassis::config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known};
use url::Url;

use crate::{
    rest,
    socket::wire::{Origins, SocketPath},
};

const HOST: Setting = Setting::new("server.host", "Where Socket.IO and REST are listened for.")
    .default("0.0.0.0")
    .env(well_known::HOST);
const PORT: Setting = Setting::new("server.port", "The port for Socket.IO and REST; 0 picks a free one.")
    .default("3000")
    .env(well_known::PORT);
const ORIGINS: Setting = Setting::new(
    "server.origins",
    "The origins of the web pages that may connect, such as `https://app.example.com`, or `*` for every page. \
     Pages send cookies only to a gateway that lists them. Clients that are no web pages always may connect.",
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
}

impl ServerSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[HOST, PORT, ORIGINS, SOCKET_PATH, TRUSTED_HOPS];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let host = reader.require(&HOST, parse::host());
        let port = reader.require(&PORT, parse::number(0..=u16::MAX));
        let origins = reader.require(&ORIGINS, origins);
        let socket_path = reader.require(&SOCKET_PATH, socket_path);
        let trusted_hops = reader.require(&TRUSTED_HOPS, parse::number(0..=16));
        Ok(Self {
            host: host?,
            port: port?,
            origins: origins?,
            socket_path: socket_path?,
            trusted_hops: trusted_hops?,
        })
    }
}

fn origins(raw: &Raw) -> Result<Origins, Problem> {
    match raw.elements().as_slice() {
        [] => Err(Problem::new("names no origin").hint("list origins, or write * for every page")),
        ["*"] => Ok(Origins::Any),
        _ => parse::list(origin)(raw).map(Origins::List),
    }
}

/// An origin as browsers write it in `Origin`: scheme, host, and the port when it is not the usual one.
fn origin(raw: &Raw) -> Result<String, Problem> {
    let text = raw.text()?;
    if text == "*" {
        return Err(Problem::new("is * beside others").hint("write * alone, or the origins alone"));
    }
    let problem = || {
        Problem::new("is not the origin of a web page")
            .hint("write a scheme, a host and perhaps a port: https://app.example.com, http://localhost:5173")
    };
    let url = Url::parse(text).map_err(|_| problem())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(problem)?;
    let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if more || !url.username().is_empty() || url.password().is_some() {
        return Err(problem());
    }
    // Apps in a web view have schemes of their own (capacitor://localhost), which `Url::origin` calls opaque.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{host}{port}", url.scheme()))
}

fn socket_path(raw: &Raw) -> Result<SocketPath, Problem> {
    let path = SocketPath::parse(raw.text()?.trim())
        .map_err(|_| Problem::new("is not a path").hint("write it like /socket.io"))?;
    if rest::serves(path.as_str()) {
        return Err(Problem::new("is where REST is served").hint("write it like /socket.io"));
    }
    Ok(path)
}
