use std::sync::Arc;

use super::{super::catalog::File, *};

/// A file of a dialect whose one event is called so.
fn file(name: &str, event: &str) -> File {
    let text = format!(
        "name = '{name}'\nanswer.ack = 1\nfailure.ack = 1\n[[inbound]]\nevent = '{event}'\ncommand = 'ping'\n"
    );
    File { name: format!("{name}.toml").into(), text: text.into() }
}

fn compile(files: Vec<File>, before: Option<&Catalog>) -> Catalog {
    let default = "a";
    Catalog::compile(files, default, before, Vec::new()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn replace(dialects: &Dialects, files: Vec<File>) {
    dialects.replace(compile(files, Some(&dialects.catalog())));
}

#[test]
fn what_is_unchanged_is_the_same_dialect_and_what_is_changed_is_another() {
    let dialects = Dialects::of(compile(vec![file("a", "x"), file("b", "x")], None));
    let (a, b) = (dialects.get("a").unwrap(), dialects.get("b").unwrap());
    replace(&dialects, vec![file("a", "x"), file("b", "y"), file("c", "x")]);
    assert!(Arc::ptr_eq(&a, &dialects.get("a").unwrap()));
    let changed = dialects.get("b").unwrap();
    assert!(!Arc::ptr_eq(&b, &changed));
    assert!(Arc::ptr_eq(&changed, &dialects.select("/b", None, None, "/socket.io").unwrap()));
    let mut indices: Vec<usize> = dialects.catalog().in_use().map(|dialect| dialect.index().get()).collect();
    indices.sort_unstable();
    assert_eq!(indices, [0, 1, 2, 3], "who speaks the old one and who speaks the new one are told apart");
    assert!(dialects.places() >= 4);
}

#[test]
fn what_sockets_still_speak_is_in_use_until_the_last_has_gone() {
    let dialects = Dialects::of(compile(vec![file("a", "x"), file("b", "x")], None));
    let held = dialects.get("b").unwrap();
    replace(&dialects, vec![file("a", "x")]);
    assert!(dialects.get("b").is_none());
    assert!(dialects.select("/b", None, None, "/socket.io").is_none());
    assert!(dialects.any_in_use(|dialect| dialect.name() == "b"));
    drop(held);
    assert!(!dialects.any_in_use(|dialect| dialect.name() == "b"));
}

#[test]
fn an_index_is_used_again_when_nobody_holds_its_dialect_and_not_before() {
    let dialects = Dialects::of(compile(vec![file("a", "x"), file("b", "0")], None));
    let held = dialects.get("b").unwrap();
    for turn in 1..50 {
        replace(&dialects, vec![file("a", "x"), file("b", &turn.to_string())]);
        let now = dialects.get("b").unwrap();
        assert_ne!(now.index(), held.index());
        assert_ne!(now.index(), dialects.get("a").unwrap().index());
    }
    assert!(dialects.places() <= 5, "{}", dialects.places());
}

#[test]
fn a_mistake_leaves_everything_as_it_was() {
    let dialects = Dialects::of(compile(vec![file("a", "x")], None));
    let broken = File { name: "b.toml".into(), text: "name = 'b'\ncolour = 1\n".into() };
    let before = dialects.catalog();
    assert!(Catalog::compile(vec![file("a", "y"), broken], "a", Some(&before), Vec::new()).is_err());
    assert!(Arc::ptr_eq(&before, &dialects.catalog()));
}
