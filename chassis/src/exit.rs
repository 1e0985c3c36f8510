//! The exit codes of the binaries, so that scripts and supervisors can tell a mistake from a failure.

/// The process ended as it was asked to.
pub const SUCCESS: u8 = 0;

/// A critical task died, or tasks had to be abandoned at the end of the drain.
pub const FAILURE: u8 = 1;

/// The process was started wrongly: a bad command line, bad configuration, or a layout (partitions) that
/// disagrees with the one on record. Starting it again changes nothing. The value is `EX_USAGE` of `sysexits.h`.
pub const USAGE: u8 = 64;
