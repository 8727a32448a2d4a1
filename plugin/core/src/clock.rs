//! Positions in a song as people read them: minutes and seconds, like a transport.

/// A position or length as text: "1:20", "1:02:03", "−0:05" in a pre-roll, "–" if `seconds` is not finite.
///
/// Seconds round down, as in a host's transport: 80.9 s is "1:20", because 1:21 has not started yet. Hosts derive
/// positions from beats or samples, so the value is first rounded to milliseconds: 4.999 999 s is "0:05".
///
/// ```
/// use mixing_buddy_core::clock;
///
/// assert_eq!(clock::text(80.9), "1:20");
/// assert_eq!(clock::text(3723.0), "1:02:03");
/// assert_eq!(clock::span(80.0, 90.0), "1:20–1:30");
/// ```
pub fn text(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".to_string();
    }
    let whole = ((seconds.abs() * 1000.0).round() / 1000.0).floor() as u64;
    let sign = if seconds < 0.0 && whole > 0 { "−" } else { "" };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{minutes}:{seconds:02}")
    }
}

/// A stretch of a song from `start_s` to `end_s` seconds: "1:20–1:30".
pub fn span(start_s: f64, end_s: f64) -> String {
    format!("{}–{}", text(start_s), text(end_s))
}

/// Seconds of a position as people write it: "1:20", "1:02:03", "80" or "80.5"; none for other text.
///
/// ```
/// use mixing_buddy_core::clock;
///
/// assert_eq!(clock::seconds("1:20"), Some(80.0));
/// assert_eq!(clock::seconds("1:99"), None);
/// ```
pub fn seconds(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (last, before) = parts.split_last()?;
    let is_plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || c == '.');
    let mut total: f64 = last.parse().ok().filter(|_| is_plain(last))?;
    if before.len() > 2 || !before.is_empty() && total >= 60.0 {
        return None;
    }
    for (place, part) in before.iter().rev().enumerate() {
        let whole: u32 = part.parse().ok().filter(|_| is_plain(part))?;
        if place == 0 && before.len() == 2 && whole >= 60 {
            return None;
        }
        total += f64::from(whole) * 60f64.powi(place as i32 + 1);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        for (text, expected) in
            [("80", 80.0), ("80.5", 80.5), ("1:20", 80.0), ("1:02:03", 3723.0), (" 0:07 ", 7.0)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", ":", "1:", "x", "1:60", "1:70:00", "1:2:3:4", "-5", "1e3", "inf"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_round_down_like_a_transport() {
        assert_eq!(text(80.9), "1:20");
        assert_eq!(text(59.0), "0:59");
        assert_eq!(text(3723.0), "1:02:03");
    }

    #[test]
    fn a_position_just_below_a_second_counts_as_that_second() {
        assert_eq!(text(4.999_999), "0:05");
        assert_eq!(text(4.99), "0:04");
    }

    #[test]
    fn a_pre_roll_is_negative_and_garbage_is_a_dash() {
        assert_eq!(text(-5.0), "−0:05");
        assert_eq!(text(-0.3), "0:00");
        assert_eq!(text(f64::NAN), "–");
        assert_eq!(text(f64::NEG_INFINITY), "–");
    }
}
