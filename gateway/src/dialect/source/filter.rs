//! Filters of inbound values: `text | trim`, `limit | most 100`. What is of another type passes as it is, for the command to
//! refuse.

use serde_json::{Number, Value};

use super::super::{mistake::did_you_mean, vocabulary::Shape};

/// The words that filters begin with.
const WORDS: &[&str] = &["trim", "lower", "upper", "number", "most", "plus"];
/// The largest number that a filter can name: what JavaScript keeps exact.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// What is done to a value on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Filter {
    /// A text without the white space around it.
    Trim,
    /// A text in lower case.
    Lower,
    /// A text in upper case.
    Upper,
    /// The number that digits write, if it is a whole one that 64 bits hold.
    Number,
    /// A number, or the digits of one, that is at most this.
    Most(i64),
    /// A whole number, or the digits of one, and this added to it.
    Plus(i64),
}

impl Filter {
    /// Reads what stands behind a `|`.
    ///
    /// # Errors
    /// What is wrong with it, and a hint.
    pub(in crate::dialect) fn parse(text: &str) -> Result<Self, (String, String)> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let plain = |filter| match rest {
            "" => Ok(filter),
            more => Err((format!("`{word}` takes no `{more}`"), format!("| {word}"))),
        };
        let number = || match rest.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= MAX_NUMBER => Ok(number),
            _ => Err((format!("`{text}` lacks a whole number"), format!("| {word} 100"))),
        };
        match word {
            "trim" => plain(Filter::Trim),
            "lower" => plain(Filter::Lower),
            "upper" => plain(Filter::Upper),
            "number" => plain(Filter::Number),
            "most" => number().map(Filter::Most),
            "plus" => number().map(Filter::Plus),
            _ => Err((format!("`{word}` is no filter"), did_you_mean(word, WORDS.iter().copied()))),
        }
    }

    /// What it is for, when no value of this shape is.
    pub(in crate::dialect) fn misses(self, shape: Shape) -> Option<&'static str> {
        let of_numbers = matches!(self, Filter::Number | Filter::Most(_) | Filter::Plus(_));
        match shape {
            Shape::Json | Shape::Number => None,
            Shape::Text | Shape::Time | Shape::User | Shape::Conversation => of_numbers.then_some("numbers"),
            Shape::Flag | Shape::Object(_) | Shape::List(_) => {
                Some(if of_numbers { "numbers" } else { "texts" })
            }
        }
    }

    pub(super) fn apply(self, value: Value) -> Value {
        match (self, value) {
            (Filter::Trim, Value::String(text)) => Value::from(text.trim()),
            (Filter::Lower, Value::String(text)) => Value::from(text.to_lowercase()),
            (Filter::Upper, Value::String(text)) => Value::from(text.to_uppercase()),
            (Filter::Number, value) => whole(&value).map_or(value, Value::from),
            (Filter::Most(most), value) if is_beyond(&value, most) => Value::from(most),
            (Filter::Plus(more), value) => match whole(&value).and_then(|number| number.checked_add(more)) {
                Some(sum) => Value::from(sum),
                None => value,
            },
            (_, value) => value,
        }
    }
}

fn is_beyond(value: &Value, most: i64) -> bool {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(number) => number > most,
            // As exact as it has to be: what is near to `most` and no whole number is refused anyway.
            #[expect(clippy::cast_precision_loss, reason = "at most 2^53, which a double keeps exact")]
            None => number.as_f64().is_some_and(|number| number > most as f64),
        },
        // More digits than fit in a number are beyond every number.
        Value::String(digits) if is_digits(digits) => {
            digits.parse::<i64>().map_or(true, |number| number > most)
        }
        _ => false,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Number::as_i64(number),
        Value::String(digits) if is_digits(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filtered(filter: &str, value: Value) -> Value {
        Filter::parse(filter).unwrap().apply(value)
    }

    #[test]
    fn texts_are_trimmed_and_change_case() {
        assert_eq!(filtered("trim", json!(" \n hi there\u{a0}")), json!("hi there"));
        assert_eq!(filtered("lower", json!("ÄB")), json!("äb"));
        assert_eq!(filtered("upper", json!("text")), json!("TEXT"));
    }

    #[test]
    fn numbers_and_digits_are_capped() {
        for beyond in
            [json!(101), json!("101"), json!(1e300), json!(u64::MAX), json!("99999999999999999999999")]
        {
            assert_eq!(filtered("most 100", beyond.clone()), json!(100), "{beyond}");
        }
        for within in [json!(100), json!(0), json!(-5), json!("100"), json!(99.5)] {
            assert_eq!(filtered("most 100", within.clone()), within);
        }
        assert_eq!(filtered("most -1", json!(0)), json!(-1));
    }

    #[test]
    fn a_number_is_added() {
        assert_eq!(filtered("plus 1", json!(0)), json!(1));
        assert_eq!(filtered("plus 1", json!("0")), json!(1));
        assert_eq!(filtered("plus -1", json!(3)), json!(2));
        assert_eq!(filtered("plus 1", json!(i64::MAX)), json!(i64::MAX), "rather than another number");
    }

    #[test]
    fn digits_become_a_number() {
        assert_eq!(filtered("number", json!("42")), json!(42));
        assert_eq!(filtered("number", json!(42)), json!(42));
        for none in [json!(""), json!("x7"), json!("99999999999999999999999"), json!(1.5)] {
            assert_eq!(filtered("number", none.clone()), none);
        }
    }

    #[test]
    fn what_is_of_another_type_passes() {
        for filter in ["trim", "lower", "upper", "number", "most 1", "plus 1"] {
            for odd in [json!(true), json!({"a": 5}), json!([5]), Value::Null] {
                assert_eq!(filtered(filter, odd.clone()), odd, "{filter}");
            }
        }
        assert_eq!(filtered("most 1", json!("5 or more")), json!("5 or more"));
        assert_eq!(filtered("plus 1", json!(1.5)), json!(1.5));
        assert_eq!(filtered("plus 1", json!("-1")), json!("-1"), "the command takes digits alone");
    }

    proptest! {
        #[test]
        fn no_filter_makes_it_panic(filter in "(trim|lower|upper|number|most|plus)? ?-?[0-9a-z ]{0,20}", text in ".{0,20}", number: f64, whole: i64) {
            if let Ok(filter) = Filter::parse(&filter) {
                for value in [json!(text), json!(number), json!(whole)] {
                    filter.apply(value);
                }
            }
        }
    }
}
