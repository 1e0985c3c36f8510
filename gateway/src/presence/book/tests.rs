use parlance_domain::time::Timestamp;

use super::*;

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn id(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

fn session(name: &str) -> ConnectedSession {
    ConnectedSession { id: id(name), dialect: "native".to_owned(), since: Timestamp(1) }
}

fn connect(book: &mut Book, name: &str) {
    book.connected(&user("ann"), session(name));
}

/// What Redis is told of the next user, as `+` and `-`.
fn told(work: &Work) -> Vec<String> {
    let text = |step: &Step| match step {
        Step::Connect(session) => format!("+{}", session.id),
        Step::Disconnect(session) => format!("-{session}"),
    };
    work.steps.iter().map(text).collect()
}

/// Tells Redis everything there is, and says what that was.
fn tell(book: &mut Book) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(work) = book.take() {
        all.extend(told(&work));
        for step in &work.steps {
            book.told(&work, step);
        }
        book.finish(&work.user);
    }
    all
}

#[test]
fn what_came_and_went_is_told_once_and_then_forgotten() {
    let mut book = Book::default();
    connect(&mut book, "a");
    connect(&mut book, "b");
    connect(&mut book, "a");
    assert_eq!(tell(&mut book), ["+a", "+b"]);
    assert_eq!(tell(&mut book), [""; 0]);
    book.disconnected(&user("ann"), &id("a"));
    connect(&mut book, "a");
    book.disconnected(&user("ann"), &id("a"));
    book.disconnected(&user("ann"), &id("never-there"));
    assert_eq!(tell(&mut book), ["-a"]);
    book.disconnected(&user("ann"), &id("b"));
    assert_eq!(tell(&mut book), ["-b"]);
    assert!(book.users.is_empty() && book.untold.is_empty());
}

#[test]
fn a_socket_that_redis_cannot_know_of_leaves_nothing_behind() {
    let mut book = Book::default();
    for n in 0..1_000 {
        let name = format!("s{n}");
        connect(&mut book, &name);
        book.disconnected(&user("ann"), &id(&name));
    }
    assert!(book.users.is_empty() && book.untold.is_empty());
    assert_eq!(book.counts(), Counts { users: 0, dialects: BTreeMap::from([("native".to_owned(), 0)]) });
}

#[test]
fn a_user_is_told_of_by_one_at_a_time_and_who_came_before_who_went() {
    let mut book = Book::default();
    connect(&mut book, "a");
    let work = book.take().unwrap();
    book.disconnected(&user("ann"), &id("a"));
    connect(&mut book, "b");
    assert!(book.take().is_none(), "somebody tells Redis of him already");
    book.told(&work, &work.steps[0]);
    book.finish(&work.user);
    assert_eq!(tell(&mut book), ["+b", "-a"], "he is not offline between the two");
}

#[test]
fn what_could_not_be_told_is_told_later() {
    let mut book = Book::default();
    connect(&mut book, "a");
    connect(&mut book, "b");
    let work = book.take().unwrap();
    book.told(&work, &work.steps[0]);
    book.finish(&work.user);
    // Whether Redis knows of `b` is unknown.
    book.disconnected(&user("ann"), &id("b"));
    assert_eq!(tell(&mut book), ["-b"]);
}

#[test]
fn under_a_new_lease_everybody_is_told_of_who_is_there() {
    let mut book = Book::default();
    for name in ["a", "b", "c"] {
        connect(&mut book, name);
    }
    book.connected(&user("bob"), session("d"));
    tell(&mut book);
    book.disconnected(&user("ann"), &id("a"));
    book.disconnected(&user("bob"), &id("d"));
    let work = book.take().unwrap();
    assert_eq!(told(&work), ["-a"]);
    book.start_over();
    // It was told under the lease before, as was what nobody tells any more.
    book.told(&work, &Step::Connect(session("b")));
    book.finish(&work.user);
    assert_eq!(tell(&mut book), ["+b", "+c"]);
    assert!(!book.users.contains_key(&user("bob")));
    assert_eq!(tell(&mut book), [""; 0]);
}

#[test]
fn a_gateway_that_drains_forgets_its_sockets_in_silence() {
    let mut book = Book::default();
    connect(&mut book, "a");
    connect(&mut book, "b");
    tell(&mut book);
    connect(&mut book, "c");
    for name in ["a", "b", "c"] {
        book.forget(&user("ann"), &id(name));
    }
    assert_eq!(tell(&mut book), [""; 0]);
    assert!(book.users.is_empty());
}

#[test]
fn who_waits_is_told_when_redis_knows_everything() {
    let mut book = Book::default();
    assert!(book.settling(&user("ann")).is_none());
    connect(&mut book, "a");
    let mut settled = book.settling(&user("ann")).unwrap();
    let work = book.take().unwrap();
    book.finish(&work.user);
    assert!(settled.try_recv().is_err(), "it was not told");
    tell(&mut book);
    assert_eq!(settled.try_recv(), Ok(()));
    assert!(book.settling(&user("ann")).is_none());
}

#[test]
fn users_and_sockets_are_counted() {
    let mut book = Book::default();
    connect(&mut book, "a");
    connect(&mut book, "b");
    book.connected(&user("bob"), ConnectedSession { dialect: "other".to_owned(), ..session("c") });
    book.disconnected(&user("ann"), &id("b"));
    let dialects = BTreeMap::from([("native".to_owned(), 1), ("other".to_owned(), 1)]);
    assert_eq!(book.counts(), Counts { users: 2, dialects });
    tell(&mut book);
    book.disconnected(&user("ann"), &id("a"));
    book.forget(&user("bob"), &id("c"));
    assert_eq!(book.counts().users, 0);
}
