//! The table of commands: each one's canonical name and the fields that it reads.

macro_rules! commands {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal [$($field:literal)*])*) => {
        /// The commands, by their canonical names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CommandName {
            $($(#[doc = $doc])* $variant,)*
        }

        impl CommandName {
            /// Every command, in the order of the documentation.
            pub const ALL: &[CommandName] = &[$(CommandName::$variant,)*];

            /// The canonical name, as dialect files write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(CommandName::$variant => $name,)*
                }
            }

            /// What it does, in a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(CommandName::$variant => concat!($($doc),*).trim_ascii(),)*
                }
            }

            /// The names of the fields that the command reads.
            pub fn fields(self) -> &'static [&'static str] {
                match self {
                    $(CommandName::$variant => &[$($field,)*],)*
                }
            }
        }
    };
}

commands! {
    /// Lets the session last as long as a newer token of the same user.
    SessionAuthenticate = "session.authenticate" ["token"]
    /// Says whose the session is: answered when it is his, refused when it is another's.
    SessionIdentify = "session.identify" ["user"]
    /// Joins conversations again and gets what was missed since the last event that the client has.
    SessionResume = "session.resume" ["conversations"]
    /// Answers with the same.
    Echo = "echo" ["payload"]
    /// Answers with the time of the server.
    Ping = "ping" []
    /// Gets the conversation's events from the answer on, and when it is exclusive those of no other any longer.
    ConversationJoin = "conversation.join" ["conversation" "exclusive"]
    /// Gets the conversation's events no longer.
    ConversationLeave = "conversation.leave" ["conversation"]
    /// Reads what is known of a conversation.
    ConversationGet = "conversation.get" ["conversation"]
    /// Reads the user's conversations, those with the newest messages first.
    ConversationList = "conversation.list" ["user" "cursor" "limit"]
    /// Makes a conversation.
    ConversationCreate = "conversation.create" ["id" "title" "participants" "metadata"]
    /// Changes the title or the fields of a conversation.
    ConversationUpdate = "conversation.update" ["conversation" "title" "metadata"]
    /// Deletes a conversation and everything in it.
    ConversationDelete = "conversation.delete" ["conversation"]
    /// Reads who takes part in a conversation.
    ParticipantList = "participant.list" ["conversation" "cursor" "limit"]
    /// Makes somebody take part, or be something else there.
    ParticipantAdd = "participant.add" ["conversation" "user" "role"]
    /// Makes somebody take part no longer.
    ParticipantRemove = "participant.remove" ["conversation" "user"]
    /// Says something.
    MessageSend = "message.send" [
        "conversation" "content" "type" "client_id" "reply_to" "attachments" "metadata"
    ]
    /// Changes the content of one's own message.
    MessageEdit = "message.edit" ["message" "content"]
    /// Takes a message back: its content is gone, its place stays.
    MessageDelete = "message.delete" ["message"]
    /// Reads a message.
    MessageGet = "message.get" ["message"]
    /// Reads a page of what was said.
    MessageHistory = "message.history" [
        "conversation" "before" "after" "around" "cursor" "page" "limit" "order"
    ]
    /// Adds a reaction, or removes it when it is there.
    ReactionToggle = "reaction.toggle" ["message" "emoji"]
    /// Adds a reaction.
    ReactionAdd = "reaction.add" ["message" "emoji"]
    /// Removes a reaction.
    ReactionRemove = "reaction.remove" ["message" "emoji"]
    /// The client has messages up to a place, or all there are.
    ReceiptDelivered = "receipt.delivered" ["conversation" "seq" "messages"]
    /// The user has seen messages up to a place, or all there are.
    ReceiptRead = "receipt.read" ["conversation" "seq" "messages"]
    /// Tells the others that the user writes.
    TypingStart = "typing.start" ["conversation"]
    /// Tells the others that the user stopped writing.
    TypingStop = "typing.stop" ["conversation"]
    /// Lets others see that the user is online, away, busy or offline, as long as he is connected.
    PresenceSet = "presence.set" ["status"]
    /// Reads the presence of users.
    PresenceGet = "presence.get" ["users"]
    /// Reads who is online, in a stable order.
    PresenceList = "presence.list" ["cursor" "limit"]
    /// Reads who is in a conversation now.
    MemberList = "member.list" ["conversation" "limit"]
    /// Reads which sockets a user has, on all gateways.
    SessionList = "session.list" ["user"]
    /// Reads how many sockets and rooms there are, in all and on each gateway.
    StatsGet = "stats.get" []
    /// Rings.
    CallStart = "call.start" ["conversation" "type"]
    /// Joins a call.
    CallAnswer = "call.answer" ["call"]
    /// Ends a call, or declines it.
    CallEnd = "call.end" ["call"]
    /// Relays an offer, an answer or a candidate of WebRTC to others in a call.
    CallSignal = "call.signal" ["call" "to" "payload"]
    /// Reads what is known of a call.
    CallGet = "call.get" ["call"]
    /// Reads the user's notifications, newest first.
    NotificationList = "notification.list" ["cursor" "limit" "unread"]
    /// Marks notifications as read, all of them when none are named.
    NotificationRead = "notification.read" ["notifications"]
    /// Notifies a user.
    NotificationSend = "notification.send" ["user" "type" "text" "data"]
    /// Hands a backend's own event to a user, a conversation or everyone.
    CustomEmit = "custom.emit" ["user" "conversation" "event" "data"]
    /// Writes what is known of a user.
    UserPut = "user.put" ["user" "name" "username" "avatar" "email" "role" "metadata"]
    /// Writes what is known of many users.
    UserImport = "user.import" ["users"]
    /// Reads what is known of a user: of the user who asks everything, of others what everybody sees.
    UserGet = "user.get" ["user"]
    /// Reads who is known, in the order of the ids.
    UserList = "user.list" ["cursor" "limit"]
    /// Forgets what is known of a user.
    UserDelete = "user.delete" ["user"]
    /// Disconnects all sockets of a user.
    UserDisconnect = "user.disconnect" ["user"]
    /// Revokes the tokens of a user that were issued before a moment.
    UserRevoke = "user.revoke" ["user" "before"]
}

impl CommandName {
    /// The command with this canonical name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
    }

    /// Whether it is about the socket that asks: a request cannot ask for it.
    pub fn is_for_sockets(self) -> bool {
        matches!(
            self,
            CommandName::SessionAuthenticate
                | CommandName::SessionIdentify
                | CommandName::SessionResume
                | CommandName::ConversationJoin
                | CommandName::ConversationLeave
        )
    }

    /// Whether only a backend with a service key may ask for it: it cannot come from a socket.
    pub fn is_for_backends(self) -> bool {
        matches!(
            self,
            CommandName::ConversationCreate
                | CommandName::ConversationUpdate
                | CommandName::ConversationDelete
                | CommandName::ParticipantAdd
                | CommandName::ParticipantRemove
                | CommandName::NotificationSend
                | CommandName::CustomEmit
                | CommandName::UserPut
                | CommandName::UserImport
                | CommandName::UserList
                | CommandName::UserDelete
                | CommandName::UserDisconnect
                | CommandName::UserRevoke
                | CommandName::PresenceList
                | CommandName::SessionList
                | CommandName::StatsGet
        )
    }
}
