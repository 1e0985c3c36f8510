//! What a benchmark is told on its command line.

/// The arguments of the form `name=value`.
pub fn named() -> impl Iterator<Item = (String, String)> {
    std::env::args().filter_map(|argument| {
        argument.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    })
}
