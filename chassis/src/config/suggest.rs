//! "Did you mean …": the nearest of the names that exist.

/// The known name that `written` is most likely a misspelling of, when there is one near enough.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = (written.chars().count() / 3).max(2);
    known
        .map(|name| (strsim::levenshtein(written, name), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_nothing_when_all_are_far() {
        let known = ["redis.url", "redis.prefix", "postgres.url"];
        assert_eq!(nearest("redis.uri", known.into_iter()), Some("redis.url"));
        assert_eq!(nearest("reddis.prefx", known.into_iter()), Some("redis.prefix"));
        assert_eq!(nearest("gateway.port", known.into_iter()), None);
    }
}
