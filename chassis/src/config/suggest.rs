//! "Did you mean …": the nearest of the names that exist.

/// The known name that `written` is most likely a misspelling of, when there is one near enough.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = (written.chars().count() / 3).max(2);
    known
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, row by row.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (b, above) in other.iter().zip(row.windows(2)) {
            let [diagonal, up] = above else { continue };
            left = (diagonal + usize::from(a != *b)).min(up + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(distance("flaw", "lawn"), 2);
    }

    #[test]
    fn the_nearest_name_is_suggested_and_nothing_when_all_are_far() {
        let known = ["redis.url", "redis.prefix", "postgres.url"];
        assert_eq!(nearest("redis.uri", known.into_iter()), Some("redis.url"));
        assert_eq!(nearest("reddis.prefx", known.into_iter()), Some("redis.prefix"));
        assert_eq!(nearest("gateway.port", known.into_iter()), None);
    }
}
