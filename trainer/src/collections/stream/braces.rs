//! Names with numbers in braces, as WebDataset writes them: `train-{000..146}.tar`.

use anyhow::{Result, ensure};

/// Most names that one pattern stands for.
const MOST: usize = 1_000_000;

/// The names that a pattern stands for, in order. `{000..146}` is each number from the first to the last, as long as the
/// longer of both is written; several braces give all combinations. Without braces, it is the name itself.
///
/// # Errors
/// When a pattern stands for more than a million names.
pub fn expand(pattern: &str) -> Result<Vec<String>> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, range, after)) = next_range(rest) {
        let (first, last, width) = range;
        let count = usize::try_from(last - first).map_or(usize::MAX, |span| span.saturating_add(1));
        ensure!(
            count.checked_mul(names.len()).is_some_and(|all| all <= MOST),
            "'{pattern}' stands for more than a million names"
        );
        let with = |name: &String| {
            let name = format!("{name}{before}");
            (first..=last).map(move |number| format!("{name}{number:0width$}")).collect::<Vec<_>>()
        };
        names = names.iter().flat_map(with).collect();
        rest = after;
    }
    Ok(names.into_iter().map(|name| name + rest).collect())
}

/// First and last number, and the digits that they are written with.
type Numbers = (u64, u64, usize);

/// What stands before the first range, its numbers, and what stands after it. Other braces are left as they are.
fn next_range(text: &str) -> Option<(&str, Numbers, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let close = open + text[open..].find('}')?;
        if let Some(numbers) = numbers(&text[open + 1..close]) {
            return Some((&text[..open], numbers, &text[close + 1..]));
        }
        from = open + 1;
    }
    None
}

fn numbers(text: &str) -> Option<Numbers> {
    let (first, last) = text.split_once("..")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return None;
    }
    let (low, high): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    // Only a leading zero asks for a fixed number of digits.
    let is_padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
    (low <= high).then_some((low, high, width))
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn braces_stand_for_numbers() {
        for (pattern, names) in [
            ("a.tar", vec!["a.tar"]),
            ("a-{8..11}.tar", vec!["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]),
            ("a-{008..010}", vec!["a-008", "a-009", "a-010"]),
            ("{0..1}/{a}-{1..2}", vec!["0/{a}-1", "0/{a}-2", "1/{a}-1", "1/{a}-2"]),
            ("{3..2}", vec!["{3..2}"]),
            ("{a..b}{", vec!["{a..b}{"]),
            ("{-1..2}", vec!["{-1..2}"]),
        ] {
            assert_eq!(expand(pattern).unwrap(), names);
        }
        for pattern in ["{0..1000000}", "{0..999}{0..1000}", "{0..18446744073709551615}"] {
            assert!(expand(pattern).unwrap_err().to_string().contains("more than a million"));
        }
    }
}
