//! Cursor pagination: a list answers `{…, "nextCursor": string | null}`, and the text reads on where the page ended.
//!
//! A *cursor* is the place of the last item of a page, in the order of the list, as whatever serialises to a small JSON;
//! for clients it is an opaque text. The last item's place, and not a number of items to pass over, is what makes a list
//! that changes meanwhile neither repeat nor lose what stays in it.
//!
//! A command that takes `cursor` as a text reads and writes it with [`Cursor`]:
//!
//! ```
//! use parlance_gateway::command::page::Cursor;
//!
//! let next = Cursor::encode(&(1_700_000_000_000_i64, "conversation-7"));
//! let (at, id): (i64, String) = Cursor::decode(&next).unwrap();
//! assert_eq!((at, id.as_str()), (1_700_000_000_000, "conversation-7"));
//! assert!(Cursor::decode::<(i64, String)>("made up").is_err());
//! ```
//!
//! A list without a command takes both parameters with [`Page::take`] from the fields of its query.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parlance_domain::rejection::Rejection;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// How many items a page has when the caller does not say.
pub const DEFAULT_LIMIT: u64 = 50;
/// The most items of a page.
pub const MAX_LIMIT: u64 = 100;
/// The longest cursor that is looked at, in bytes.
const MAX_CURSOR_BYTES: usize = 1_024;

/// Writes and reads cursors.
#[derive(Debug)]
pub struct Cursor;

impl Cursor {
    /// The text for a place.
    pub fn encode(place: &impl Serialize) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
    }

    /// The place of a text.
    ///
    /// # Errors
    /// `invalid_payload` for a text that no list of this kind gave.
    pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Rejection> {
        let place = Some(text)
            .filter(|text| text.len() <= MAX_CURSOR_BYTES)
            .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
            .and_then(|json| serde_json::from_slice(&json).ok());
        place.ok_or_else(|| Rejection::invalid("cursor", "is none that an answer gave"))
    }
}

/// Which page of a list: at most `limit` items after the place `cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// 1 to [`MAX_LIMIT`].
    pub limit: u64,
    /// Where the page before it ended; none for the first.
    pub cursor: Option<T>,
}

impl<T: DeserializeOwned> Page<T> {
    /// Takes `limit` and `cursor` from the fields of a query.
    ///
    /// # Errors
    /// `invalid_payload` when one of them does not fit.
    pub fn take(fields: &mut Map<String, Value>) -> Result<Self, Rejection> {
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let cursor = text("cursor").map(|cursor| Cursor::decode(&cursor)).transpose()?;
        let limit = match text("limit") {
            None => DEFAULT_LIMIT,
            Some(digits) => {
                let number = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let number = number.and_then(|digits| digits.parse().ok());
                let fits = number.filter(|number| (1..=MAX_LIMIT).contains(number));
                fits.ok_or_else(|| Rejection::invalid("limit", "is not between 1 and 100"))?
            }
        };
        Ok(Self { limit, cursor })
    }
}

/// Cuts what was read, of which one more than a page was asked for, to the page. Answers what reads on after its last
/// item, whose place `place` tells, when there is more.
pub(super) fn cut<T, P: Serialize>(
    found: &mut Vec<T>,
    limit: u64,
    place: impl FnOnce(&T) -> P,
) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    found.last().filter(|_| more).map(|last| Cursor::encode(&place(last)))
}

#[cfg(test)]
mod tests {
    use parlance_domain::rejection::Code;
    use serde_json::json;

    use super::*;

    fn page(fields: Value) -> Result<Page<u64>, Code> {
        let Value::Object(mut fields) = fields else { panic!("{fields} is no object") };
        Page::take(&mut fields).map_err(|rejection| rejection.code)
    }

    #[test]
    fn a_page_reads_on_where_the_one_before_ended() {
        assert_eq!(page(json!({})), Ok(Page { limit: 50, cursor: None }));
        let next = Cursor::encode(&7);
        assert!(next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{next}");
        assert_eq!(page(json!({"cursor": next, "limit": "100"})), Ok(Page { limit: 100, cursor: Some(7) }));
        assert_eq!(page(json!({"cursor": null, "limit": null})), Ok(Page { limit: 50, cursor: None }));
    }

    #[test]
    fn what_no_answer_gave_is_refused() {
        let other = Cursor::encode(&"a text");
        let long = "a".repeat(MAX_CURSOR_BYTES + 1);
        for cursor in ["", "7", "ä", "====", &other, &long] {
            assert_eq!(page(json!({"cursor": cursor})), Err(Code::InvalidPayload), "{cursor}");
        }
        for limit in ["0", "101", "-1", "+1", "1.0", "x", "", "99999999999999999999"] {
            assert_eq!(page(json!({"limit": limit})), Err(Code::InvalidPayload), "{limit:?}");
        }
    }

    #[test]
    fn what_was_read_beyond_a_page_tells_that_there_is_more() {
        let mut found = vec![1, 2, 3];
        assert_eq!(cut(&mut found, 2, |last| *last), Some(Cursor::encode(&2)));
        assert_eq!(found, [1, 2]);
        assert_eq!(cut(&mut found, 2, |last| *last), None);
        assert_eq!(cut(&mut Vec::<u64>::new(), 2, |last| *last), None);
    }
}
