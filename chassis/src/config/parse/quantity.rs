//! Numbers with a unit: durations and sizes.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Problem, Raw, within};

const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A duration such as `500ms`, `30s`, `2m`, `1h` or `7d`, in the range. The unit is not optional: nobody has to
/// guess it.
pub fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Raw) -> Result<Duration, Problem> {
    move |raw| {
        let ms = quantity(raw.text()?, DURATION_UNITS);
        let ms = ms.ok_or_else(|| {
            Problem::new("is not a duration")
                .hint("write a whole number and ms, s, m, h or d, such as 500ms or 30s")
        })?;
        let duration = Duration::from_millis(ms);
        within(&duration, &range, |bound| format!("{bound:?}"))?;
        Ok(duration)
    }
}

/// A size in bytes such as `4096`, `64KiB`, `1MiB` or `2MB`, in the range.
pub fn byte_size(range: RangeInclusive<u64>) -> impl Fn(&Raw) -> Result<u64, Problem> {
    move |raw| {
        let bytes = quantity(raw.text()?, SIZE_UNITS);
        let bytes = bytes.ok_or_else(|| {
            Problem::new("is not a size")
                .hint("write a whole number of bytes, or one with kB, MB, GB, KiB, MiB or GiB")
        })?;
        within(&bytes, &range, |bound| format!("{bound} bytes"))?;
        Ok(bytes)
    }
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.trim_start();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn durations_need_a_unit_and_stay_in_range() {
        let parse = duration(Duration::from_millis(100)..=Duration::from_secs(86_400));
        let ms = |text: &str| parse(&raw(text)).unwrap().as_millis();
        assert_eq!(
            [ms("500ms"), ms("30s"), ms("2 m"), ms("1h"), ms("1d")],
            [500, 30_000, 120_000, 3_600_000, 86_400_000]
        );
        for wrong in
            ["30", "s", "", "1.5s", "-1s", "30S", "1w", "99999999999999999999s", "99999999999999999d"]
        {
            assert_eq!(parse(&raw(wrong)).unwrap_err().text, "is not a duration", "{wrong}");
        }
        assert_eq!(parse(&raw("99ms")).unwrap_err().hint.unwrap(), "it must be between 100ms and 86400s");
        assert!(parse(&raw("2d")).is_err());
    }

    #[test]
    fn sizes_know_decimal_and_binary_units() {
        let parse = byte_size(1..=1 << 31);
        let bytes = |text: &str| parse(&raw(text)).unwrap();
        assert_eq!(
            [bytes("4096"), bytes("1MiB"), bytes("2MB"), bytes("64 KiB")],
            [4_096, 1_048_576, 2_000_000, 65_536]
        );
        for wrong in ["", "MiB", "1mb", "1.5MB", "-1"] {
            assert_eq!(parse(&raw(wrong)).unwrap_err().text, "is not a size", "{wrong}");
        }
        assert_eq!(parse(&raw("0")).unwrap_err().text, "is out of range");
    }
}
