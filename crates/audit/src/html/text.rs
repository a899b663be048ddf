//! Numbers as people read them.

/// A number with its digits in groups of three, between which a browser does not break the line.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A latency.
pub(super) fn millis(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.1} s", v / 1000.0),
        v if v >= 1_000.0 => format!("{:.2} s", v / 1000.0),
        v if v >= 100.0 => format!("{v:.0} ms"),
        v => format!("{v:.1} ms"),
    }
}

/// `count` with the noun in its singular, `one`, or in its plural, `many`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let grouped = |value| number(value).replace('\u{202f}', ",");
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.25, 250.4, 7027.0, 12_345.0].map(millis), ["0.2 ms", "250 ms", "7.03 s", "12.3 s"]);
    }

    #[test]
    fn one_has_the_singular_and_every_other_number_the_plural() {
        assert_eq!(
            [0, 1, 2].map(|count| plural(count, "process", "processes")),
            ["0 processes", "1 process", "2 processes"]
        );
    }
}
