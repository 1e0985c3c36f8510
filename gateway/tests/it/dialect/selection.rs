//! Which dialect a handshake means.

use super::dialects;

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
    assert_eq!(selected("/native", Some("support"), theirs, "/api/socketio"), native);
    assert_eq!(selected("/", Some("support"), None, usual), support);
    assert_eq!(selected("/", Some("native"), theirs, "/api/socketio"), native);
    assert_eq!(selected("/", None, None, "/api/socketio/"), support);
    assert_eq!(selected("/", None, theirs, usual), support);
    assert_eq!(selected("/nobody", None, theirs, usual), None);
    assert_eq!(selected("/", Some("nobody"), theirs, usual), None);
}

#[test]
fn indices_are_dense_and_namespaces_and_paths_are_listed() {
    let dialects = dialects();
    let indices: Vec<_> = dialects.iter().map(|dialect| dialect.index().get()).collect();
    assert_eq!(indices, (0..dialects.count()).collect::<Vec<_>>());
    for dialect in dialects.iter() {
        let found = dialects.by_index(dialect.index()).expect("its index leads to it");
        assert_eq!(found.name(), dialect.name());
    }
    assert_eq!(dialects.namespaces().collect::<Vec<_>>(), ["/", "/native", "/support", "/helpdesk"]);
    assert_eq!(dialects.paths().collect::<Vec<_>>(), ["/api/socketio"]);
}
