//! Which figures an explanation may state: those that it was given, and no others.

use std::collections::BTreeSet;

/// The figures of a text that may be repeated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    allowed: BTreeSet<String>,
}

/// A figure in a text.
struct Found<'a> {
    text: &'a str,
    is_last: bool,
}

fn figures(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let from = &rest[start..];
        let end = from.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ',');
        let end = end.unwrap_or(from.len());
        found.push(Found { text: &from[..end], is_last: end == from.len() });
        rest = &from[end..];
    }
    found
}

/// With a point for a comma, and without the mark that ends a sentence or a clause.
fn plain(figure: &str) -> String {
    figure.trim_end_matches(['.', ',']).replace(',', ".")
}

impl Figures {
    /// All figures of these texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let all = texts.into_iter().flat_map(figures);
        Figures { allowed: all.map(|figure| plain(figure.text)).collect() }
    }

    /// Whether a text states these figures only. A figure at its end may be the beginning of one.
    pub fn allow(&self, text: &str) -> bool {
        figures(text).iter().all(|figure| {
            let stated = plain(figure.text);
            self.allowed.contains(&stated) || figure.is_last && self.may_become(figure.text)
        })
    }

    /// Whether a figure that is written so far can become one that is allowed.
    fn may_become(&self, begun: &str) -> bool {
        let begun = begun.replace(',', ".");
        self.allowed.iter().any(|allowed| allowed.starts_with(&begun))
    }

    /// Where the last figure of a text begins, if the text ends in it: what comes next may belong to it.
    pub fn open_at(text: &str) -> usize {
        figures(text)
            .last()
            .filter(|figure| figure.is_last)
            .map_or(text.len(), |figure| text.len() - figure.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_given_figures_are_let_through() {
        let figures =
            Figures::of(["vocals: 9 LU under, usual 8.5 LU under", "lower by 12 dB, 74 %, limit 60 %"]);
        for text in
            ["", "They are 9 LU under.", "8,5 LU", "8.", "7", "1", "by 12 dB. 74", "it is 9.", "no figure"]
        {
            assert!(figures.allow(text), "{text}");
        }
        for text in ["3", "9 LU and 2", "1 dB", "8 LU", "8.6", "91", "12.5 dB", "74.5"] {
            assert!(!figures.allow(text), "{text}");
        }
        assert!(!Figures::default().allow("1"));
    }

    #[test]
    fn a_figure_at_the_end_is_open() {
        assert_eq!(Figures::open_at("by 4"), 3);
        assert_eq!(Figures::open_at("by 4."), 3);
        assert_eq!(Figures::open_at("by 4 "), 5);
        assert_eq!(Figures::open_at(""), 0);
    }
}
