//! Binding a listener such that the failure names the address.

use std::io;

use tokio::net::TcpListener;

/// An address could not be listened on. Shows the address and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {host}:{port}: {cause}")]
pub struct BindError {
    /// The configured host.
    pub host: String,
    /// The configured port.
    pub port: u16,
    /// What the system said.
    pub cause: io::Error,
}

/// Listens on `host` (a name or an IPv4 or IPv6 address, without brackets) and `port` (0 picks a free one).
///
/// # Errors
/// When the host does not resolve, or the port is taken or not permitted.
pub async fn bind(host: &str, port: u16) -> Result<TcpListener, BindError> {
    TcpListener::bind((host, port)).await.map_err(|cause| BindError { host: host.to_owned(), port, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_is_named_in_the_error() {
        let taken = bind("127.0.0.1", 0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{error}");
    }
}
