//! The commands around messages: sending one, and reading history.

use crate::{
    command::{Fields, limit},
    id::{ClientId, ConversationId, MessageId},
    message::{Attachments, Content, MessageType, Metadata},
    rejection::{Code, Rejection},
    version::Seq,
};

/// The most messages that one page of history has.
pub const MAX_HISTORY_LIMIT: u64 = 200;
/// How many messages a page has when the client does not say.
pub const DEFAULT_HISTORY_LIMIT: u64 = 50;

/// `message.send`.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMessage {
    /// Where.
    pub conversation: ConversationId,
    /// The text; blank only beside attachments.
    pub content: Content,
    /// What kind of content.
    pub kind: MessageType,
    /// What the client calls this command; the same again is the same message.
    pub client_id: Option<ClientId>,
    /// The message that this one answers.
    pub reply_to: Option<MessageId>,
    /// The files it names.
    pub attachments: Attachments,
    /// The application's own fields.
    pub metadata: Metadata,
}

/// `message.history`: a page of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Which part of it.
    pub page: Page,
    /// At most this many, 1 to [`MAX_HISTORY_LIMIT`].
    pub limit: u64,
    /// How the messages of the page stand.
    pub order: Order,
}

/// Where a page of history lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest messages.
    Newest,
    /// Those right before this place.
    Before(Seq),
    /// Those right after this place.
    After(Seq),
    /// Those around this message: it is in the page when it exists, and about half of the page is older.
    Around(MessageId),
    /// The page with this number, from 1, counted in the order of the page; with how many messages there are.
    Numbered(u64),
}

/// How the messages of a page stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// In the order of the conversation.
    #[default]
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

impl SendMessage {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation = fields.required("conversation")?;
        let attachments = Attachments::new(fields.list("attachments")?.unwrap_or_default())?;
        let text = fields.text("content")?;
        let content = match text.map(Content::new) {
            Some(Ok(content)) => content,
            // A photograph needs no words.
            None if !attachments.is_empty() => Content::gone(),
            Some(Err(Rejection { code: Code::ContentBlank, .. })) if !attachments.is_empty() => {
                Content::gone()
            }
            Some(Err(rejection)) => return Err(rejection),
            None => return Err(Rejection::invalid("content", "is missing")),
        };
        let kind = fields.text("type")?.map(|word| MessageType::new(&word)).transpose()?.unwrap_or_default();
        Ok(Self {
            conversation,
            content,
            kind,
            client_id: fields.optional("client_id")?,
            reply_to: fields.optional("reply_to")?,
            attachments,
            metadata: Metadata::new(fields.object("metadata")?.unwrap_or_default())?,
        })
    }
}

/// The field `content`, which must be there.
pub(super) fn content(fields: &mut Fields) -> Result<Content, Rejection> {
    Content::new(fields.text("content")?.ok_or_else(|| Rejection::invalid("content", "is missing"))?)
}

impl History {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation = fields.required("conversation")?;
        let pages = [
            fields.number("before")?.map(|seq| Page::Before(Seq(seq))),
            fields.number("after")?.map(|seq| Page::After(Seq(seq))),
            fields.optional("around")?.map(Page::Around),
            fields.number("page")?.map(Page::Numbered),
            fields.text("cursor")?.map(|cursor| Page::parse_cursor(&cursor)).transpose()?,
        ];
        let mut named = pages.into_iter().flatten();
        let page = named.next().unwrap_or(Page::Newest);
        if named.next().is_some() {
            return Err(Rejection::invalid(
                "before",
                "and after, around, page and cursor exclude each other",
            ));
        }
        if page == Page::Numbered(0) {
            return Err(Rejection::invalid("page", "is counted from 1"));
        }
        let limit = limit(fields, DEFAULT_HISTORY_LIMIT, MAX_HISTORY_LIMIT)?;
        let order = match fields.text("order")?.as_deref() {
            None | Some("oldest") => Order::OldestFirst,
            Some("newest") => Order::NewestFirst,
            Some(_) => return Err(Rejection::invalid("order", "is neither oldest nor newest")),
        };
        Ok(Self { conversation, page, limit, order })
    }
}

impl Page {
    /// The page as an answer names the next one: an opaque word for clients.
    pub fn to_cursor(self) -> Option<String> {
        match self {
            Page::Before(Seq(seq)) => Some(format!("b{seq}")),
            Page::After(Seq(seq)) => Some(format!("a{seq}")),
            Page::Newest | Page::Around(_) | Page::Numbered(_) => None,
        }
    }

    fn parse_cursor(cursor: &str) -> Result<Self, Rejection> {
        let wrong = || Rejection::invalid("cursor", "is none that an answer gave");
        let (kind, seq) = cursor.split_at_checked(1).ok_or_else(wrong)?;
        let seq = Seq(seq.parse().map_err(|_| wrong())?);
        match kind {
            "b" => Ok(Page::Before(seq)),
            "a" => Ok(Page::After(seq)),
            _ => Err(wrong()),
        }
    }
}
