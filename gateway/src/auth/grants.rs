//! Which conversations a token lets its user use. Only the policy `token` asks for it.

use std::{collections::HashSet, sync::Arc};

use parlance_domain::{id::ConversationId, rejection::Rejection};
use serde_json::Value;

use super::{claims::id_text, invalid};

/// How many conversations a token can list.
pub const MAX_GRANTED: usize = 1_000;

/// The conversations that somebody may use, as far as it is the token that says so. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// All of them: whoever issues tokens need not show one.
    Everything,
    /// These and no others.
    Only(Arc<HashSet<ConversationId>>),
}

/// None.
impl Default for Grants {
    fn default() -> Self {
        Self::Only(Arc::default())
    }
}

impl Grants {
    /// Whether the conversation is among them.
    pub fn include(&self, conversation: &ConversationId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(listed) => listed.contains(conversation),
        }
    }

    /// The claim of a token: a list of ids, each a text or a whole number, or a single one.
    pub(super) fn read(claim: &Value) -> Result<Self, Rejection> {
        let listed = match claim {
            Value::Array(listed) => listed.as_slice(),
            single => std::slice::from_ref(single),
        };
        if listed.len() > MAX_GRANTED {
            return Err(invalid("the token lists more than 1,000 conversations"));
        }
        let id = |value: &Value| ConversationId::new(id_text(value)?).ok();
        let ids: Option<HashSet<ConversationId>> = listed.iter().map(id).collect();
        let odd = || invalid("the token lists conversations that are neither texts nor whole numbers");
        Ok(Self::Only(Arc::new(ids.ok_or_else(odd)?)))
    }
}
