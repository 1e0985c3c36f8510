//! Mangled texts: a valid one, changed a few times in ways that parsers are weak at.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;

/// Values that stand where others are expected.
const ODD: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "1e-400",
    "18446744073709551616",
    "9007199254740993",
    "0.1",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "[]",
    "{}",
    "[[[[]]]]",
    "{\"_placeholder\":true,\"num\":0}",
    "{\"__proto__\":{}}",
    "\"a\\nb\"",
    "\"{conversationId}\"",
];
/// How deep what is nested is, at most: beyond what the parsers bear.
const DEEPEST: usize = 2_000;
/// How often a short piece is repeated.
const MOST_REPETITIONS: usize = 3_000;

/// Makes mangled texts, the same ones from the same number.
pub struct Mutator(StdRng);

impl Mutator {
    pub fn new(number: u64) -> Self {
        Self(StdRng::seed_from_u64(number))
    }

    /// One of the texts, changed up to four times.
    pub fn mangle(&mut self, texts: &[String]) -> String {
        let mut text = texts.choose(&mut self.0).expect("there are texts").clone();
        for _ in 0..self.0.random_range(1..=4) {
            text = self.change(text);
        }
        text
    }

    fn change(&mut self, text: String) -> String {
        match self.0.random_range(0..8) {
            0 => self.cut(&text),
            1 => self.splice(&text),
            2 => self.flip(text),
            3 => self.nest(&text),
            4 => self.repeat(&text),
            _ => self.swap_a_value(&text),
        }
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        text.floor_char_boundary(self.0.random_range(0..=text.len()))
    }

    fn cut(&mut self, text: &str) -> String {
        let (one, other) = (self.place(text), self.place(text));
        text[..one.min(other)].to_owned() + &text[one.max(other)..]
    }

    fn splice(&mut self, text: &str) -> String {
        let (at, odd) = (self.place(text), *ODD.choose(&mut self.0).expect("there are some"));
        format!("{}{odd}{}", &text[..at], &text[at..])
    }

    /// Another byte, where that leaves a text.
    fn flip(&mut self, text: String) -> String {
        let mut bytes = text.into_bytes();
        if !bytes.is_empty() {
            let at = self.0.random_range(0..bytes.len());
            bytes[at] ^= 1 << self.0.random_range(0..8);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn nest(&mut self, text: &str) -> String {
        let (at, depth) = (self.place(text), self.0.random_range(1..DEEPEST));
        let (open, close) = if self.0.random() { ("[", "]") } else { ("{\"a\":", "}") };
        format!("{}{}1{}{}", &text[..at], open.repeat(depth), close.repeat(depth), &text[at..])
    }

    fn repeat(&mut self, text: &str) -> String {
        let at = self.place(text);
        let end = text.floor_char_boundary((at + self.0.random_range(1..8)).min(text.len()));
        let piece = text.get(at..end).unwrap_or_default();
        format!("{}{}{}", &text[..at], piece.repeat(self.0.random_range(1..MOST_REPETITIONS)), &text[at..])
    }

    /// One of the values inside, replaced by one of another type, so that the whole still parses.
    fn swap_a_value(&mut self, text: &str) -> String {
        let (head, body) = text.split_once('\n').unwrap_or(("", text));
        let Ok(mut value) = serde_json::from_str::<Value>(body) else {
            return self.splice(text);
        };
        let odd = ODD.choose(&mut self.0).expect("there are some");
        let other = serde_json::from_str(odd).unwrap_or(Value::Null);
        let mut places = count(&value);
        places = self.0.random_range(0..places.max(1));
        replace(&mut value, &mut places, other);
        if head.is_empty() { value.to_string() } else { format!("{head}\n{value}") }
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Replaces the value at a place, counted from the root.
fn replace(value: &mut Value, place: &mut usize, other: Value) -> bool {
    if *place == 0 {
        *value = other;
        return true;
    }
    *place -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    inner.into_iter().any(|value| replace(value, place, other.clone()))
}
