//! Hosts, addresses and URLs.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::{Problem, Raw};
use crate::secret::Secret;

/// A host to listen on or to connect to: a name, or an IPv4 or IPv6 address without brackets.
pub fn host() -> impl Fn(&Raw) -> Result<String, Problem> {
    |raw| {
        let text = raw.text()?.trim();
        let name = matches!(Host::parse(text), Ok(Host::Domain(_)));
        if name || text.parse::<IpAddr>().is_ok() {
            return Ok(text.to_owned());
        }
        Err(Problem::new("is not a host")
            .hint("write a name or an address without a port, such as 127.0.0.1 or ::1"))
    }
}

/// An address with a port: `127.0.0.1:8080`, `[::1]:8080`.
pub fn socket_address() -> impl Fn(&Raw) -> Result<SocketAddr, Problem> {
    |raw| {
        let address = raw.text()?.trim().parse();
        address.map_err(|_| {
            Problem::new("is not an address with a port").hint("write it as 127.0.0.1:8080 or [::1]:8080")
        })
    }
}

/// A URL with one of the schemes and a host.
pub fn url(schemes: &'static [&'static str]) -> impl Fn(&Raw) -> Result<Url, Problem> {
    move |raw| parse_url(raw.text()?.trim(), schemes)
}

/// A URL that carries credentials. It is checked as [`url()`] does and kept as it was written.
pub fn secret_url(schemes: &'static [&'static str]) -> impl Fn(&Raw) -> Result<Secret, Problem> {
    move |raw| {
        let text = raw.text()?.trim();
        parse_url(text, schemes).map(|_| Secret::new(text))
    }
}

fn parse_url(text: &str, schemes: &[&str]) -> Result<Url, Problem> {
    let hint = || format!("it starts with one of: {}://", schemes.join("://, "));
    let url =
        Url::parse(text).map_err(|error| Problem::new(format!("is not a URL ({error})")).hint(hint()))?;
    if !schemes.contains(&url.scheme()) {
        return Err(Problem::new("has another scheme than it may").hint(hint()));
    }
    // Postgres takes the folder of its Unix socket as a parameter in the place of a host.
    let in_a_parameter = url.query_pairs().any(|(name, _)| name == "host");
    if url.host_str().is_none_or(str::is_empty) && !in_a_parameter {
        return Err(Problem::new("names no host"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn hosts_are_names_or_addresses_without_a_port() {
        for right in ["localhost", "0.0.0.0", "::", "::1", "redis.internal"] {
            assert_eq!(host()(&raw(right)).unwrap(), right);
        }
        for wrong in ["", "localhost:80", "http://h", "[::1]", "a b", "127.0.0.1:80"] {
            assert!(host()(&raw(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn socket_addresses_have_a_port() {
        assert_eq!(socket_address()(&raw("[::1]:80")).unwrap().port(), 80);
        assert!(socket_address()(&raw("127.0.0.1")).is_err());
    }

    #[test]
    fn urls_have_an_allowed_scheme_and_a_host() {
        let parse = url(&["redis", "redis-cluster"]);
        assert_eq!(parse(&raw("redis://u:p@h:6379/1")).unwrap().host_str(), Some("h"));
        let problem = parse(&raw("http://h")).unwrap_err();
        assert_eq!(problem.hint.unwrap(), "it starts with one of: redis://, redis-cluster://");
        for wrong in ["", "h:6379", "redis://", "redis:///1", "redis:h"] {
            assert!(parse(&raw(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_url_is_kept_as_written_and_never_shown() {
        let parse = secret_url(&["postgres"]);
        let text = "postgres:///parlance?host=/run/postgresql";
        assert_eq!(parse(&raw(text)).unwrap().expose(), text);
        let problem = format!("{:?}", parse(&raw("mysql://u:hunter2@h")).unwrap_err());
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
