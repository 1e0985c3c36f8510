use super::*;

const EXPIRY: Duration = Duration::from_secs(5);
/// How long one start is believed.
const BELIEVED: Duration = Duration::from_secs(7);

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn conversation(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}

impl Typing {
    fn starts(&self, name: &str, place: &str, socket: impl Into<Option<u64>>) -> Started {
        let profile = Profile::unknown(user(name));
        self.start(Start {
            conversation: conversation(place),
            profile,
            socket: socket.into(),
            expiry: EXPIRY,
        })
    }

    /// Who is to be told of as not writing any more, and where.
    fn ends(&self) -> Vec<(String, String)> {
        let ended = self.lock().take_ended(Instant::now());
        let mut names: Vec<_> =
            ended.into_iter().map(|ended| (ended.profile.name, String::from(ended.conversation))).collect();
        names.sort();
        names
    }

    fn is_empty(&self) -> bool {
        let state = self.lock();
        state.typists.is_empty() && state.due.is_empty() && state.sources.is_empty() && state.ended.is_empty()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(user, place)| ((*user).to_owned(), (*place).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_itself_after_the_last_start_and_is_told_again_meanwhile() {
    let typing = Typing::new(10);
    assert_eq!(typing.starts("ann", "c", 1), Started::Tell(BELIEVED));
    let mut told = Vec::new();
    for _ in 0..30 {
        tokio::time::advance(Duration::from_millis(500)).await;
        told.push(typing.starts("ann", "c", 1) != Started::Known);
        assert_eq!(typing.ends(), []);
    }
    assert_eq!(told.iter().filter(|told| **told).count(), 7, "every two seconds");
    tokio::time::advance(EXPIRY - Duration::from_millis(1)).await;
    assert_eq!(typing.ends(), []);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(typing.ends(), pairs(&[("ann", "c")]));
    assert!(typing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_never_lasts_longer_than_the_others_were_told() {
    let typing = Typing::new(10);
    typing.starts("ann", "c", 1);
    let told = Instant::now();
    tokio::time::advance(AGAIN - Duration::from_millis(1)).await;
    assert_eq!(typing.starts("ann", "c", 1), Started::Known);
    let due = typing.lock().next_due().unwrap();
    assert!(due < told + BELIEVED);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_told_only_when_there_was_a_start() {
    let typing = Typing::new(10);
    assert!(!typing.stop(&user("ann"), &conversation("c")));
    typing.starts("ann", "c", 1);
    assert!(!typing.stop(&user("ann"), &conversation("d")));
    assert!(typing.stop(&user("ann"), &conversation("c")));
    assert!(!typing.stop(&user("ann"), &conversation("c")));
    assert!(typing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_socket_ends_what_came_from_it_last() {
    let typing = Typing::new(10);
    typing.starts("ann", "c", 1);
    typing.starts("ann", "d", 1);
    typing.starts("bob", "c", 2);
    // She goes on elsewhere.
    assert_eq!(typing.starts("ann", "d", 3), Started::Known);
    typing.gone(1);
    assert_eq!(typing.ends(), pairs(&[("ann", "c")]));
    typing.left(1, &user("ann"), &conversation("d"));
    assert_eq!(typing.ends(), []);
    typing.left(3, &user("ann"), &conversation("d"));
    typing.put_out(&user("bob"), &conversation("c"));
    assert_eq!(typing.ends(), pairs(&[("ann", "d"), ("bob", "c")]));
    assert!(typing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_source_is_bounded_and_does_not_take_the_room_of_another() {
    let typing = Typing::new(2);
    for place in ["a", "b", "a"] {
        assert_ne!(typing.starts("ann", place, 1), Started::TooMany);
    }
    assert_eq!(typing.starts("ann", "c", 1), Started::TooMany);
    assert_ne!(typing.starts("ann", "c", None), Started::TooMany);
    assert_ne!(typing.starts("bob", "c", 2), Started::TooMany);
    // What came from one is another's from the next start on, and counts there.
    assert_eq!(typing.starts("ann", "a", 2), Started::Known);
    assert_eq!(typing.starts("bob", "d", 2), Started::TooMany);
    assert_ne!(typing.starts("ann", "d", 1), Started::TooMany);
    // What is refused takes nothing away.
    assert_eq!(typing.starts("ann", "b", 2), Started::TooMany);
    assert!(typing.stop(&user("ann"), &conversation("b")));
}
