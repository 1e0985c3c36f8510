//! The table of commands: each one's canonical name and the fields that it reads.

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($field:literal)*])*) => {
        /// The commands, by their canonical names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CommandName {
            $($(#[$doc])* $variant,)*
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
    /// See [`super::Command::Authenticate`].
    SessionAuthenticate = "session.authenticate" ["token"]
    /// See [`super::Command::Resume`].
    SessionResume = "session.resume" ["conversations"]
    /// See [`super::Command::Echo`].
    Echo = "echo" ["payload"]
    /// See [`super::Command::Ping`].
    Ping = "ping" []
    /// See [`super::Command::Join`].
    ConversationJoin = "conversation.join" ["conversation"]
    /// See [`super::Command::Leave`].
    ConversationLeave = "conversation.leave" ["conversation"]
    /// See [`super::Command::ConversationGet`].
    ConversationGet = "conversation.get" ["conversation"]
    /// See [`super::Command::ConversationList`].
    ConversationList = "conversation.list" ["user" "cursor" "limit"]
    /// See [`super::Command::ConversationCreate`].
    ConversationCreate = "conversation.create" ["id" "title" "participants" "metadata"]
    /// See [`super::Command::ConversationUpdate`].
    ConversationUpdate = "conversation.update" ["conversation" "title" "metadata"]
    /// See [`super::Command::ConversationDelete`].
    ConversationDelete = "conversation.delete" ["conversation"]
    /// See [`super::Command::ParticipantList`].
    ParticipantList = "participant.list" ["conversation" "cursor" "limit"]
    /// See [`super::Command::ParticipantAdd`].
    ParticipantAdd = "participant.add" ["conversation" "user" "role"]
    /// See [`super::Command::ParticipantRemove`].
    ParticipantRemove = "participant.remove" ["conversation" "user"]
    /// See [`super::Command::Send`].
    MessageSend = "message.send" [
        "conversation" "content" "type" "client_id" "reply_to" "attachments" "metadata"
    ]
    /// See [`super::Command::Edit`].
    MessageEdit = "message.edit" ["message" "content"]
    /// See [`super::Command::Delete`].
    MessageDelete = "message.delete" ["message"]
    /// See [`super::Command::MessageGet`].
    MessageGet = "message.get" ["message"]
    /// See [`super::Command::History`].
    MessageHistory = "message.history" [
        "conversation" "before" "after" "around" "cursor" "page" "limit" "order"
    ]
    /// See [`super::Command::React`].
    ReactionToggle = "reaction.toggle" ["message" "emoji"]
    /// See [`super::Command::React`].
    ReactionAdd = "reaction.add" ["message" "emoji"]
    /// See [`super::Command::React`].
    ReactionRemove = "reaction.remove" ["message" "emoji"]
    /// See [`super::Command::Receipt`].
    ReceiptDelivered = "receipt.delivered" ["conversation" "seq" "messages"]
    /// See [`super::Command::Receipt`].
    ReceiptRead = "receipt.read" ["conversation" "seq" "messages"]
    /// See [`super::Command::Typing`].
    TypingStart = "typing.start" ["conversation"]
    /// See [`super::Command::Typing`].
    TypingStop = "typing.stop" ["conversation"]
    /// See [`super::Command::CallStart`].
    CallStart = "call.start" ["conversation" "type"]
    /// See [`super::Command::CallAnswer`].
    CallAnswer = "call.answer" ["call"]
    /// See [`super::Command::CallEnd`].
    CallEnd = "call.end" ["call"]
    /// See [`super::Command::CallSignal`].
    CallSignal = "call.signal" ["call" "to" "payload"]
    /// See [`super::Command::CallGet`].
    CallGet = "call.get" ["call"]
    /// See [`super::Command::NotificationList`].
    NotificationList = "notification.list" ["cursor" "limit" "unread"]
    /// See [`super::Command::NotificationRead`].
    NotificationRead = "notification.read" ["notifications"]
    /// See [`super::Command::Notify`].
    NotificationSend = "notification.send" ["user" "type" "text" "data"]
    /// See [`super::Command::Emit`].
    CustomEmit = "custom.emit" ["user" "conversation" "event" "data"]
    /// See [`super::Command::Disconnect`].
    UserDisconnect = "user.disconnect" ["user"]
}

impl CommandName {
    /// The command with this canonical name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
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
                | CommandName::UserDisconnect
        )
    }
}
