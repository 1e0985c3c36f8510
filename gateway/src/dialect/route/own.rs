//! What a route can let users do to their own conversations, which otherwise only backends do.

use parlance_domain::{
    command::{Command, CommandName},
    conversation::ParticipantRole,
    id::{ConversationId, UserId},
};

/// Whether it is a command that a route can leave to those who take part.
pub(super) fn is_about_ones_own(command: CommandName) -> bool {
    matches!(
        command,
        CommandName::ConversationCreate
            | CommandName::ConversationUpdate
            | CommandName::ConversationDelete
            | CommandName::ParticipantAdd
            | CommandName::ParticipantRemove
    )
}

/// The conversation in which a user must take part to be allowed a command; none for one that makes it. For any other
/// command an outer `None`.
pub fn conversation_of(command: &Command) -> Option<Option<&ConversationId>> {
    match command {
        Command::ConversationCreate(_) => Some(None),
        Command::ConversationUpdate(update) => Some(Some(&update.conversation)),
        Command::ConversationDelete(id) | Command::ParticipantRemove(id, _) => Some(Some(id)),
        Command::ParticipantAdd(add) => Some(Some(&add.conversation)),
        _ => None,
    }
}

/// Who makes a conversation takes part in it.
pub fn take_part(command: &mut Command, user: &UserId) {
    if let Command::ConversationCreate(create) = command
        && !create.participants.iter().any(|(participant, _)| participant == user)
    {
        create.participants.push((user.clone(), ParticipantRole::default()));
    }
}
