//! `/v1/conversations`: creating one, for backends.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::{
    command::Fields,
    conversation::{MAX_PARTICIPANTS_A_COMMAND, Title},
    id::{ConversationId, UserId},
    message::Metadata,
    rejection::Rejection,
};
use serde_json::{Map, Value};

use super::{body::Body, caller::Caller, problem::Problem};
use crate::{
    app::App,
    command::conversation::{self, CreateConversation},
};

const FIELDS: &[(&str, &str)] =
    &[("id", "id"), ("title", "title"), ("participants", "participants"), ("metadata", "metadata")];

/// 201 with the conversation; 200 when the same one was created before; 409 when there is another one with this id.
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let create = parse(body.fields(FIELDS)?)?;
    let (is_new, conversation) = conversation::create(&app, &actor, create).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(conversation.view())))
}

fn parse(fields: Map<String, Value>) -> Result<CreateConversation, Rejection> {
    let mut fields = Fields::new(fields);
    let id = fields.take("id").map(|id| text("id", id)).transpose()?;
    let title = fields.take("title").map(|title| text("title", title)).transpose()?;
    let metadata = match fields.take("metadata") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(Rejection::invalid("metadata", "is no object")),
    };
    Ok(CreateConversation {
        id: id
            .map(|id| ConversationId::new(id).map_err(|problem| Rejection::invalid("id", problem)))
            .transpose()?,
        title: title.map(Title::new).transpose()?,
        metadata: Metadata::new(metadata)?,
        participants: participants(fields.take("participants"))?,
    })
}

fn participants(list: Option<Value>) -> Result<Vec<UserId>, Rejection> {
    let refused = |problem: &str| Rejection::invalid("participants", problem);
    let items = match list {
        None => return Err(refused("is missing")),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(refused("is no list")),
    };
    if items.len() > MAX_PARTICIPANTS_A_COMMAND {
        return Err(refused("names more than 1000 users; add the others one by one"));
    }
    let user = |(place, item)| {
        let field = format!("participants[{place}]");
        UserId::new(text(&field, item)?).map_err(|problem| Rejection::invalid(&field, problem))
    };
    items.into_iter().enumerate().map(user).collect()
}

fn text(field: &str, value: Value) -> Result<String, Rejection> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Rejection::invalid(field, "is no text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: Value) -> Result<CreateConversation, String> {
        let Value::Object(fields) = value else { panic!("{value} is no object") };
        parse(fields).map_err(|rejection| rejection.message.into_owned())
    }

    #[test]
    fn a_conversation_needs_no_more_than_participants() {
        let create = parsed(json!({"participants": ["a", "b"]})).unwrap();
        assert!(create.id.is_none() && create.title.is_none() && create.metadata.is_empty());
        assert_eq!(create.participants, [UserId::new("a").unwrap(), UserId::new("b").unwrap()]);
        let nulls = json!({"id": null, "title": null, "metadata": null, "participants": []});
        assert!(parsed(nulls).unwrap().participants.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_field() {
        for (field, value) in [
            ("id", json!(7)),
            ("id", json!("")),
            ("id", json!("a".repeat(129))),
            ("title", json!(7)),
            ("title", json!("a\0")),
            ("metadata", json!([])),
            ("metadata", json!({"a": "\0"})),
            ("participants", json!(null)),
            ("participants", json!("a")),
            ("participants", json!(vec!["a"; 1_001])),
        ] {
            let mut fields = json!({"participants": []});
            fields[field] = value.clone();
            let told = parsed(fields).unwrap_err();
            assert!(told.starts_with(&format!("{field} ")), "{field}: {value} {told}");
        }
        assert_eq!(parsed(json!({"participants": ["a", 7]})).unwrap_err(), "participants[1] is no text");
    }
}
