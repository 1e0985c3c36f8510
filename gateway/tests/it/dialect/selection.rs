//! Which dialect a handshake means.

use super::{Folder, dialects, documented_example, load};

#[test]
fn a_handshake_selects_by_namespace_then_query_then_path_then_host_then_default() {
    let dialects = dialects();
    let selected = |namespace, query, host, path| {
        let dialect = dialects.select(namespace, query, host, path)?;
        Some(dialect.name().to_owned())
    };
    let (native, support) = (Some("native".to_owned()), Some("support".to_owned()));
    let usual = "/socket.io/";
    let theirs = Some("Chat.Support.Example:8080");
    assert_eq!(selected("/", None, None, usual), native);
    assert_eq!(selected("/", None, Some("elsewhere"), usual), native);
    assert_eq!(selected("/support", None, None, usual), support);
    assert_eq!(selected("/helpdesk", None, None, usual), support);
    assert_eq!(selected("/native", Some("support"), theirs, "/helpdesk/socket.io"), native);
    assert_eq!(selected("/", Some("support"), None, usual), support);
    assert_eq!(selected("/", Some("native"), theirs, "/helpdesk/socket.io"), native);
    assert_eq!(selected("/", None, None, "/helpdesk/socket.io/"), support);
    assert_eq!(selected("/", None, theirs, usual), support);
    assert_eq!(selected("/nobody", None, theirs, usual), None);
    assert_eq!(selected("/", Some("nobody"), theirs, usual), None);
}

#[test]
fn indices_are_dense_and_namespaces_and_paths_are_listed() {
    let folder = Folder::with(&[("support.toml", &documented_example())]);
    let dialects = load(Some(&folder.0), "native").unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let indices: Vec<_> = dialects.iter().map(|dialect| dialect.index().get()).collect();
    assert_eq!(indices, (0..dialects.count()).collect::<Vec<_>>());
    let catalog = dialects.catalog();
    assert_eq!(catalog.namespaces().collect::<Vec<_>>(), ["/", "/native", "/support", "/helpdesk"]);
    assert_eq!(catalog.paths().collect::<Vec<_>>(), ["/helpdesk/socket.io"]);
}
