//! Which web pages may use something, by the origin that browsers say for them. Clients that are no browsers can say what
//! they like: this protects the users of browsers from foreign pages, and is no authentication.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use axum::http::{HeaderMap, header};
use url::Url;

/// Which web pages may use something. A client that names no origin (apps, servers) always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every page, but without cookies.
    Any,
    /// The pages of these origins (`https://app.example.com`), with credentials.
    List(Vec<String>),
}

/// What an origin is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// None was named.
    NoOrigin,
    /// It may as any page may: without credentials.
    Anyone,
    /// It is listed: with credentials.
    Listed,
    /// It may not.
    Foreign,
}

impl Origins {
    /// What a page of this origin is allowed.
    pub fn judge(&self, origin: Option<&str>) -> Verdict {
        match (origin, self) {
            (None, _) => Verdict::NoOrigin,
            (Some(_), Self::Any) => Verdict::Anyone,
            (Some(origin), Self::List(list)) if list.iter().any(|listed| same(listed, origin)) => {
                Verdict::Listed
            }
            (Some(_), Self::List(_)) => Verdict::Foreign,
        }
    }
}

/// Whether two are one origin: they are compared whole, and scheme and host (there is nothing else but a port) without
/// case.
fn same(listed: &str, origin: &str) -> bool {
    listed.eq_ignore_ascii_case(origin)
}

/// Several [`Origins`] in one: what at least one of them allows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Allowed {
    anyone: bool,
    /// In lower case.
    listed: Arc<BTreeSet<String>>,
}

impl Allowed {
    /// What at least one of these allows.
    pub fn by<'a>(all: impl IntoIterator<Item = &'a Origins>) -> Self {
        let (mut anyone, mut listed) = (false, BTreeSet::new());
        for origins in all {
            match origins {
                Origins::Any => anyone = true,
                Origins::List(list) => listed.extend(list.iter().map(|origin| origin.to_ascii_lowercase())),
            }
        }
        Self { anyone, listed: Arc::new(listed) }
    }

    /// What the page is allowed that a request comes from.
    pub fn judge(&self, request: &HeaderMap) -> Verdict {
        let mut named = request.get_all(header::ORIGIN).iter();
        let Some(origin) = named.next() else {
            return Verdict::NoOrigin;
        };
        // Browsers name one, in ASCII.
        let (Ok(origin), None) = (origin.to_str(), named.next()) else {
            return Verdict::Foreign;
        };
        if self.is_listed(origin) {
            Verdict::Listed
        } else if self.anyone {
            Verdict::Anyone
        } else {
            Verdict::Foreign
        }
    }

    pub(super) fn is_listed(&self, origin: &str) -> bool {
        self.listed.contains(&origin.to_ascii_lowercase())
    }

    pub(super) fn is_anyone(&self) -> bool {
        self.anyone
    }

    /// Whether answers are the same for every page.
    pub(super) fn is_anyone_alike(&self) -> bool {
        self.anyone && self.listed.is_empty()
    }
}

/// What is allowed now; it can change while requests come in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AllowedNow(Arc<RwLock<Allowed>>);

impl AllowedNow {
    /// This, until something else is said.
    pub fn new(allowed: Allowed) -> Self {
        Self(Arc::new(RwLock::new(allowed)))
    }

    /// What holds at this moment.
    pub fn get(&self) -> Allowed {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this holds.
    pub fn set(&self, allowed: Allowed) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }
}

/// Reads an origin as people write it, and gives it as browsers do: scheme, host, and the port when it is not the usual
/// one. `None` when it is none. `null` is none: it is what browsers say for whatever page has no origin, so it names
/// nobody.
pub fn parse(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if more || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    // Apps in a web view have schemes of their own (capacitor://localhost), which `Url::origin` calls opaque.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", url.scheme()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn list(origins: &[&str]) -> Origins {
        Origins::List(origins.iter().map(|origin| (*origin).to_owned()).collect())
    }

    fn from(origins: &[&'static str]) -> HeaderMap {
        origins.iter().map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))).collect()
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let origins = list(&["https://app.example.com", "http://localhost:5173"]);
        let allowed = Allowed::by([&origins]);
        for (origin, verdict) in [
            ("https://app.example.com", Verdict::Listed),
            ("https://APP.Example.com", Verdict::Listed),
            ("HTTPS://app.example.com", Verdict::Listed),
            ("http://localhost:5173", Verdict::Listed),
            ("http://app.example.com", Verdict::Foreign),
            ("https://app.example.com:8443", Verdict::Foreign),
            ("https://app.example.com.evil.org", Verdict::Foreign),
            ("https://evil.org/https://app.example.com", Verdict::Foreign),
            ("https://evilapp.example.com", Verdict::Foreign),
            ("https://sub.app.example.com", Verdict::Foreign),
            ("https://app.example.com@evil.org", Verdict::Foreign),
            ("https://app.example.com/", Verdict::Foreign),
            ("https://app.example.com https://evil.org", Verdict::Foreign),
            ("app.example.com", Verdict::Foreign),
            ("http://localhost", Verdict::Foreign),
            ("null", Verdict::Foreign),
            ("", Verdict::Foreign),
        ] {
            assert_eq!(origins.judge(Some(origin)), verdict, "{origin:?}");
            assert_eq!(allowed.judge(&from(&[origin])), verdict, "{origin:?}");
        }
        assert_eq!(origins.judge(None), Verdict::NoOrigin);
        assert_eq!(allowed.judge(&from(&[])), Verdict::NoOrigin);
        let two = from(&["https://app.example.com", "https://evil.org"]);
        assert_eq!(allowed.judge(&two), Verdict::Foreign);
    }

    #[test]
    fn several_allow_what_one_of_them_allows() {
        let (one, other) = (list(&["https://a.example"]), list(&["https://b.example"]));
        let both = Allowed::by([&one, &other]);
        for (origin, verdict) in [
            ("https://a.example", Verdict::Listed),
            ("https://b.example", Verdict::Listed),
            ("https://c.example", Verdict::Foreign),
        ] {
            assert_eq!(both.judge(&from(&[origin])), verdict, "{origin}");
        }
        let open = Allowed::by([&one, &Origins::Any]);
        assert_eq!(open.judge(&from(&["https://a.example"])), Verdict::Listed);
        assert_eq!(open.judge(&from(&["https://c.example"])), Verdict::Anyone);
        assert_eq!(open.judge(&from(&["null"])), Verdict::Anyone);
    }

    #[test]
    fn an_origin_is_read_as_browsers_write_it() {
        for (written, read) in [
            ("https://App.Example.com/", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(parse(written).as_deref(), Some(read), "{written}");
        }
        for none in
            ["", "null", "*", "app.example.com", "https://a.example/path", "https://u@a.example", "https://"]
        {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
