//! Data URLs (RFC 2397) with base64, piece by piece: a file of megabytes is never decoded as a whole.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

/// How much is decoded at a time, in characters; a multiple of four.
const PIECE: usize = 64 * 1024;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The base64 in a data URL. The media type that stands before it is what somebody says, and not looked at.
pub(super) fn payload(text: &str) -> Option<&str> {
    let rest = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).and(text.get(5..))?;
    let (head, payload) = rest.split_once(',')?;
    let (_, coding) = head.rsplit_once(';')?;
    coding.trim().eq_ignore_ascii_case("base64").then_some(payload)
}

/// The bytes, in order; `None` stands for what is no base64.
pub(super) fn pieces(payload: &str) -> impl Iterator<Item = Option<Bytes>> {
    let last = payload.len().saturating_sub(1) / PIECE;
    payload.as_bytes().chunks(PIECE).enumerate().map(move |(number, piece)| {
        // Padding ends the file, it cannot stand within.
        let ends_early = number < last && piece.ends_with(b"=");
        BASE64.decode(piece).ok().filter(|_| !ends_early).map(Bytes::from)
    })
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn decoded(payload: &str) -> Option<Vec<u8>> {
        let pieces: Option<Vec<Bytes>> = pieces(payload).collect();
        Some(pieces?.concat())
    }

    #[test]
    fn only_base64_is_taken() {
        assert_eq!(payload("data:image/png;base64,AAAA"), Some("AAAA"));
        assert_eq!(payload("DATA:;BASE64,"), Some(""));
        assert_eq!(payload("data:image/png;name=a.png;base64,AA=="), Some("AA=="));
        for other in [
            "",
            "data:",
            "data:,hi",
            "data:text/plain,hi",
            "https://a.example/b.png",
            "AAAA",
            "dätä:;base64,A",
        ] {
            assert_eq!(payload(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_encoded_is_decoded_however_long_it_is() {
        for length in [0, 1, 2, 3, PIECE / 4 * 3, PIECE / 4 * 3 + 1, 200_000] {
            let bytes: Vec<u8> = (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect();
            let text = BASE64_STANDARD.encode(&bytes);
            assert_eq!(decoded(&text).as_deref(), Some(&*bytes), "{length}");
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Some(&*bytes), "{length}");
        }
    }

    #[test]
    fn what_is_no_base64_is_not_taken() {
        for bad in ["A", "A===", "AA==AA==", "AA AA", "äöü", "AA-_"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
        let early = format!("{}AA==AAAA", "A".repeat(PIECE - 4));
        assert_eq!(decoded(&early), None);
    }
}
