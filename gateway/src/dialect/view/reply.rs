//! The canonical reply of each command.

use parlance_broker::{
    lease::LeaseId,
    presence::ConnectedSession,
    stats::{ClusterStats, GatewayStats},
};
use parlance_domain::{
    call::Call,
    conversation::{Conversation, ParticipantRole},
    id::{ConversationId, MessageId, UserId},
    message::Message,
    notification::Notification,
    presence::Presence,
    reaction::{Emoji, Reactions},
    time::Timestamp,
    user::Profile,
    version::Heads,
};
use serde_json::{Value, json};

/// `session.authenticate`: `{expiresAt}`, null when the token has no end.
pub fn authenticated(expires_at: Option<Timestamp>) -> Value {
    json!({"expiresAt": expires_at})
}

/// `session.identify`: `{userId}`.
pub fn identified(user: &UserId) -> Value {
    json!({"userId": user})
}

/// From when on a user's tokens are in force.
pub fn revoked(user: &UserId, before: Timestamp) -> Value {
    json!({"userId": user, "before": before})
}

/// One conversation of `session.resume`: whether everything that was missed came, and where it stands now.
pub fn resumed(conversation: &ConversationId, outcome: Result<(bool, Heads), &str>) -> Value {
    let (recovered, heads) = outcome.unwrap_or_default();
    json!({
        "conversationId": conversation,
        "recovered": recovered,
        "epoch": heads.version.epoch,
        "offset": heads.version.rev,
        "seq": heads.seq,
        "error": outcome.err(),
    })
}

/// `session.resume`: `{conversations}`, each a [`resumed`].
pub fn resumed_all(conversations: &[Value]) -> Value {
    json!({"conversations": conversations})
}

/// `echo`: `{echo}`.
pub fn echo(payload: &Value) -> Value {
    json!({"echo": payload})
}

/// `ping`: `{time}`.
pub fn ping(now: Timestamp) -> Value {
    json!({"time": now})
}

/// `conversation.join`: `{conversationId, epoch, offset, seq, members, memberCount}`, where the conversation stands at the
/// join, and who is there: the ids of some users, and how many there are.
pub fn joined(conversation: &ConversationId, heads: Heads, members: &[&UserId], count: u64) -> Value {
    json!({
        "conversationId": conversation,
        "epoch": heads.version.epoch,
        "offset": heads.version.rev,
        "seq": heads.seq,
        "members": members,
        "memberCount": count,
    })
}

/// `member.list`: `{conversationId, members, memberCount}`.
pub fn members(conversation: &ConversationId, members: &[UserId], count: u64) -> Value {
    json!({"conversationId": conversation, "members": members, "memberCount": count})
}

/// `stats.get`: `{connected, users, rooms, gateways}`. Users and conversations that are at several gateways count once.
pub fn stats(cluster: &ClusterStats) -> Value {
    let ClusterStats { gateways, users, rooms } = cluster;
    let connected: u64 = gateways.iter().map(|(.., stats)| stats.connected).sum();
    let gateway = |(lease, at, stats): &(LeaseId, Timestamp, GatewayStats)| {
        json!({
            "gateway": lease.gateway(),
            "connected": stats.connected,
            "users": stats.users,
            "rooms": stats.rooms,
            "dialects": stats.dialects,
            "at": at,
        })
    };
    let gateways: Vec<Value> = gateways.iter().map(gateway).collect();
    json!({"connected": connected, "users": users, "rooms": rooms, "gateways": gateways})
}

/// `conversation.leave`: `{conversationId}`.
pub fn left(conversation: &ConversationId) -> Value {
    json!({"conversationId": conversation})
}

/// `message.send`: `{message}`.
pub fn sent(message: &Message) -> Value {
    json!({"message": message.view()})
}

/// `message.get`: `{message}`.
pub fn found(message: &Value) -> Value {
    json!({"message": message})
}

/// A message as it is read: with the reactions to it and how far the others have got.
pub fn stored(message: &Message, reactions: &Reactions, status: &str) -> Value {
    let mut view = message.view();
    if let Value::Object(fields) = &mut view {
        fields.insert("status".to_owned(), json!(status));
        fields.insert("reactions".to_owned(), reactions.view());
    }
    view
}

/// What a page of history is answered with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryReply {
    /// The messages, each as [`stored`] made it, in the order that was asked for.
    pub messages: Vec<Value>,
    /// Whether there are more in the direction of reading.
    pub has_more: bool,
    /// What reads on, when there are more.
    pub next: Option<String>,
    /// How many messages of others the user has not read, when that is asked for.
    pub unread: Option<u64>,
    /// For a numbered page: its number, how many messages a page has, and how many there are.
    pub numbered: Option<(u64, u64, u64)>,
}

/// `message.history`: `{messages, hasMore, nextCursor, page, limit, total}`, and `unreadCount` when it is asked for.
pub fn history(reply: HistoryReply) -> Value {
    let HistoryReply { messages, has_more, next, unread, numbered } = reply;
    let mut view = json!({
        "messages": messages,
        "hasMore": has_more,
        "nextCursor": next,
        "page": numbered.map(|(page, _, _)| page),
        "limit": numbered.map(|(_, limit, _)| limit),
        "total": numbered.map(|(_, _, total)| total),
    });
    if let (Value::Object(fields), Some(unread)) = (&mut view, unread) {
        fields.insert("unreadCount".to_owned(), json!(unread));
    }
    view
}

/// `receipt.read`: `{marked}`, how many messages of others were not read before; `{}` when nobody asks, or when it could
/// not be found out.
pub fn read(marked: Option<u64>) -> Value {
    marked.map_or_else(nothing, self::marked)
}

/// `conversation.get` and `conversation.update`: `{conversation}`.
pub fn conversation(conversation: &Conversation) -> Value {
    json!({"conversation": conversation.view()})
}

/// `conversation.create`: `{conversation, created}`.
pub fn created(conversation: &Conversation, created: bool) -> Value {
    json!({"conversation": conversation.view(), "created": created})
}

/// One conversation of a list: what it is, what its user is there, the newest message and how many are unread.
pub fn listed(
    conversation: &Conversation,
    role: &ParticipantRole,
    last: Option<&Message>,
    unread: u64,
    read_seq: u64,
) -> Value {
    let mut view = conversation.view();
    if let Value::Object(fields) = &mut view {
        fields.insert("role".to_owned(), json!(role));
        fields.insert("lastMessage".to_owned(), json!(last.map(Message::view)));
        fields.insert("unreadCount".to_owned(), json!(unread));
        fields.insert("readSeq".to_owned(), json!(read_seq));
    }
    view
}

/// `conversation.list`: `{conversations, nextCursor}`, each a [`listed`].
pub fn conversations(conversations: &[Value], next: Option<&str>) -> Value {
    json!({"conversations": conversations, "nextCursor": next})
}

/// One participant of a list.
pub fn participant(
    user: &Profile,
    role: &ParticipantRole,
    joined_at: Option<Timestamp>,
    delivered_seq: u64,
    read_seq: u64,
) -> Value {
    json!({
        "userId": user.id,
        "user": user,
        "role": role,
        "joinedAt": joined_at,
        "deliveredSeq": delivered_seq,
        "readSeq": read_seq,
    })
}

/// `participant.list`: `{participants, nextCursor}`, each a [`participant`].
pub fn participants(participants: &[Value], next: Option<&str>) -> Value {
    json!({"participants": participants, "nextCursor": next})
}

/// `participant.add`: `{conversationId, participant, role, added}`.
pub fn added(conversation: &ConversationId, user: &Profile, role: &ParticipantRole, added: bool) -> Value {
    json!({"conversationId": conversation, "participant": user, "role": role, "added": added})
}

/// `reaction.*`: `{messageId, emoji, active, reactions}`.
pub fn reacted(message: MessageId, emoji: &Emoji, active: bool, reactions: &Reactions) -> Value {
    json!({"messageId": message, "emoji": emoji, "active": active, "reactions": reactions.view()})
}

/// `call.start`, `call.answer`, `call.end` and `call.get`: `{call}`.
pub fn call(call: &Call) -> Value {
    json!({"call": call.view()})
}

/// `notification.list`: `{notifications, unreadCount, nextCursor}`.
pub fn notifications(notifications: &[Notification], unread: u64, next: Option<&str>) -> Value {
    let notifications: Vec<Value> = notifications.iter().map(Notification::view).collect();
    json!({"notifications": notifications, "unreadCount": unread, "nextCursor": next})
}

/// `notification.read`: `{marked}`, how many were not read before.
pub fn marked(count: u64) -> Value {
    json!({"marked": count})
}

/// `notification.send`: `{notification}`.
pub fn notified(notification: &Notification) -> Value {
    json!({"notification": notification.view()})
}

/// A presence as everybody may see it: `{userId, status, lastSeen, at}`. Whether somebody who looks offline is connected,
/// and with which session, is not in it.
pub fn seen(presence: &Presence) -> Value {
    json!({
        "userId": presence.user,
        "status": presence.status,
        "lastSeen": presence.last_seen(),
        "at": (presence.at.0 > 0).then_some(presence.at),
    })
}

/// `presence.set`: `{presence}`, a [`seen`].
pub fn presence_set(presence: &Presence) -> Value {
    json!({"presence": seen(presence)})
}

/// `presence.get`: `{presences}`, each a [`seen`].
pub fn presences(presences: &[Presence]) -> Value {
    json!({"presences": presences.iter().map(seen).collect::<Vec<_>>()})
}

/// `presence.list`: `{presences, total, nextCursor}`, each a [`seen`].
pub fn online(presences: &[Presence], total: u64, next: Option<&str>) -> Value {
    json!({
        "presences": presences.iter().map(seen).collect::<Vec<_>>(),
        "total": total,
        "nextCursor": next,
    })
}

/// `session.list`: `{sessions}`, each `{sessionId, gateway, dialect, connectedAt}`.
pub fn sessions(sessions: &[(ConnectedSession, LeaseId)]) -> Value {
    let view = |(session, lease): &(ConnectedSession, LeaseId)| {
        json!({
            "sessionId": session.id,
            "gateway": lease.gateway(),
            "dialect": session.dialect,
            "connectedAt": session.since,
        })
    };
    json!({"sessions": sessions.iter().map(view).collect::<Vec<_>>()})
}

/// `user.get`: `{user}`, a [`User::view`](parlance_domain::user::User::view) or, of others, a profile.
pub fn user(user: &Value) -> Value {
    json!({"user": user})
}

/// `user.put`: `{user, created}`.
pub fn user_put(user: &Value, created: bool) -> Value {
    json!({"user": user, "created": created})
}

/// `user.import`: `{created, updated}`, how many were not known before, and how many were.
pub fn users_imported(created: u64, updated: u64) -> Value {
    json!({"created": created, "updated": updated})
}

/// `user.list`: `{users, nextCursor}`.
pub fn users(users: &[Value], next: Option<&str>) -> Value {
    json!({"users": users, "nextCursor": next})
}

/// Commands of which there is nothing to say: `{}`.
pub fn nothing() -> Value {
    json!({})
}
