//! What a file is, by its first bytes, and whether a browser may show it.

/// The media type of what begins with `head`: by its signature, else text or bytes. Never a type that a browser would
/// execute: scripts and documents with scripts are `text/html`, `text/xml` or plain text.
pub(super) fn content_type(head: &[u8]) -> &'static str {
    match infer::get(head) {
        Some(kind) => kind.mime_type(),
        None if looks_like_markup(head) => "text/html",
        None if is_text(head) => "text/plain",
        None => "application/octet-stream",
    }
}

/// Whether the bytes are text as far as they go: UTF-8, cut anywhere, without control characters but white space.
pub fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let whole = head.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}

/// Markup that a browser might run although it has no signature: the first character that is no space opens a tag.
fn looks_like_markup(head: &[u8]) -> bool {
    let without_mark = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = without_mark.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'<') && is_text(head)
}

/// Whether a browser may show a file of this type in its place: pictures, sound and films, none of which can run
/// anything. Everything else is only saved.
pub fn is_shown_inline(content_type: &str) -> bool {
    matches!(content_type, "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif")
        || content_type.starts_with("audio/")
        || content_type.starts_with("video/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        for (head, expected) in [
            (b"\x89PNG\r\n\x1a\n....".as_slice(), "image/png"),
            (b"\xff\xd8\xff\xe0....", "image/jpeg"),
            (b"%PDF-1.7", "application/pdf"),
            (b"PK\x03\x04....", "application/zip"),
            (b"hello", "text/plain"),
            (b"\x00\x01\x02\xff", "application/octet-stream"),
            (b"<!DOCTYPE html><html>", "text/html"),
            (b"  <svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/html"),
        ] {
            assert_eq!(content_type(head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_character_may_be_cut() {
        assert!(is_text("grüße".as_bytes().get(..3).unwrap()));
        assert!(!is_text(b"a\xffb"));
        assert!(!is_text(b"a\x00b"));
    }

    #[test]
    fn only_what_cannot_run_is_shown() {
        assert!(is_shown_inline("image/png") && is_shown_inline("video/mp4"));
        for active in ["image/svg+xml", "text/html", "text/xml", "application/pdf", "text/plain"] {
            assert!(!is_shown_inline(active), "{active}");
        }
    }
}
