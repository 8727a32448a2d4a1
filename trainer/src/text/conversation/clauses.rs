//! An answer as sentences and clauses, and the stem that each clause is about.

use super::lexicon::Lexicon;
use mixing_buddy_core::Stem;

/// A part of a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clause {
    /// Number of its sentence.
    pub sentence: usize,
    /// Its words, lower case, without apostrophes; figures as written, a percent sign as a word.
    pub words: Vec<String>,
    /// The stems that it names, with the place of the name.
    pub stems: Vec<(usize, Stem)>,
    /// The stem that it is about where it names none.
    pub carried: Option<Stem>,
}

impl Clause {
    /// The stem that the word at a place is about: the one named last before it, else the next one, else the carried one.
    pub fn stem_at(&self, place: usize) -> Option<Stem> {
        let before = self.stems.iter().rev().find(|(at, _)| *at <= place);
        before.or(self.stems.first()).map(|(_, stem)| *stem).or(self.carried)
    }

    /// The clause as text, for messages.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// The words of a text, with breaks.
enum Token {
    Word(String),
    /// The end of a clause.
    Clause,
    /// The end of a sentence.
    Sentence,
}

/// Splits an answer. `named` is the stem of the decision, which pronouns stand for where nothing else does.
pub fn clauses(text: &str, lexicon: &Lexicon, named: Option<Stem>) -> Vec<Clause> {
    let mut all: Vec<Clause> = Vec::new();
    let mut open = Clause::default();
    for token in tokens(text) {
        match token {
            Token::Word(word) => {
                let splits = lexicon.begins("contexts", "splits", std::slice::from_ref(&word)).is_some();
                if splits && !open.words.is_empty() {
                    let sentence = open.sentence;
                    all.push(std::mem::replace(&mut open, Clause { sentence, ..Clause::default() }));
                }
                open.words.push(word);
            }
            Token::Clause | Token::Sentence => {
                let sentence = open.sentence + usize::from(matches!(token, Token::Sentence));
                let closed = std::mem::replace(&mut open, Clause { sentence, ..Clause::default() });
                if !closed.words.is_empty() {
                    all.push(closed);
                }
            }
        }
    }
    if !open.words.is_empty() {
        all.push(open);
    }
    for clause in &mut all {
        blank_what_is_not_meant(&mut clause.words, lexicon);
        clause.stems = stems_in(&clause.words, lexicon);
    }
    carry(&mut all, lexicon, named);
    all
}

/// The words of a text as a checker compares them.
pub fn words_of(text: &str) -> Vec<String> {
    tokens(text)
        .into_iter()
        .filter_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Clause | Token::Sentence => None,
        })
        .collect()
}

fn tokens(text: &str) -> Vec<Token> {
    let signs: Vec<char> = text.chars().filter(|sign| !matches!(sign, '\'' | '’' | '‘' | '`')).collect();
    let mut tokens = Vec::new();
    let mut word = String::new();
    for (at, sign) in signs.iter().enumerate() {
        let is_digit = |at: usize| signs.get(at).is_some_and(char::is_ascii_digit);
        let is_point = matches!(sign, '.' | ',') && at > 0 && is_digit(at - 1) && is_digit(at + 1);
        if sign.is_alphanumeric() || is_point {
            word.extend(sign.to_lowercase().map(|sign| if is_point { '.' } else { sign }));
            continue;
        }
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(&mut word)));
        }
        match sign {
            '.' | '!' | '?' | '\n' => tokens.push(Token::Sentence),
            ',' | ';' | ':' | '(' | ')' | '–' | '—' => tokens.push(Token::Clause),
            '%' => tokens.push(Token::Word("%".into())),
            _ => {}
        }
    }
    if !word.is_empty() {
        tokens.push(Token::Word(word));
    }
    tokens
}

/// Replaces phrases that hold a stem's name or a direction without meaning it, so that nothing finds them.
fn blank_what_is_not_meant(words: &mut [String], lexicon: &Lexicon) {
    let mut at = 0;
    while at < words.len() {
        match lexicon.begins("stems", "not_meant", &words[at..]) {
            Some(length) => {
                words[at..at + length].iter_mut().for_each(|word| *word = "_".into());
                at += length;
            }
            None => at += 1,
        }
    }
}

fn stems_in(words: &[String], lexicon: &Lexicon) -> Vec<(usize, Stem)> {
    let mut stems = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match lexicon.stem(&words[at..]) {
            Some((stem, length)) => {
                stems.push((at, stem));
                at += length;
            }
            None => at += 1,
        }
    }
    stems
}

/// Finds the stem of clauses that name none: that of the clause before in the same sentence; of the last one named, where
/// there is a pronoun; of the next one named in the sentence; of the last one named; of the decision.
fn carry(all: &mut [Clause], lexicon: &Lexicon, named: Option<Stem>) {
    let mut last: Option<(usize, Stem)> = None;
    for at in 0..all.len() {
        let clause = &all[at];
        if let Some((_, stem)) = clause.stems.last() {
            last = Some((clause.sentence, *stem));
            continue;
        }
        let before = last.filter(|(sentence, _)| *sentence == clause.sentence).map(|(_, stem)| stem);
        let by_pronoun =
            last.map(|(_, stem)| stem).filter(|_| lexicon.occurs("contexts", "pronouns", &clause.words));
        let next = || {
            let rest = all[at..].iter().take_while(|later| later.sentence == clause.sentence);
            rest.flat_map(|later| &later.stems).map(|(_, stem)| *stem).next()
        };
        let carried = before.or(by_pronoun).or_else(next).or(last.map(|(_, stem)| stem)).or(named);
        all[at].carried = carried;
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::*;

    fn split(text: &str) -> Vec<Clause> {
        clauses(text, &Lexicon::shipped(Language::En).expect("it is sound"), Some(Stem::Bass))
    }

    #[test]
    fn clauses_end_at_punctuation_and_some_words() {
        let all = split(
            "The vocals sit 8.5 LU under the rest, in your reference 5. They're fine while drums aren't!",
        );
        let texts: Vec<String> = all.iter().map(Clause::text).collect();
        assert_eq!(
            texts,
            ["the vocals sit 8.5 lu under _ _", "in your reference 5", "theyre fine", "while drums arent"]
        );
        assert_eq!(all.iter().map(|clause| clause.sentence).collect::<Vec<_>>(), [0, 0, 1, 1]);
        let stems: Vec<Option<Stem>> = all.iter().map(|clause| clause.stem_at(0)).collect();
        assert_eq!(stems, [Stem::Vocals, Stem::Vocals, Stem::Drums, Stem::Drums].map(Some));
        assert_eq!(
            split("Turn it down.")[0].stem_at(0),
            Some(Stem::Bass),
            "the decision's where none is named"
        );
    }

    #[test]
    fn a_pronoun_stands_for_the_stem_before() {
        let all = split("Leave the vocals. It is them I like, not the drums.");
        assert_eq!(all[1].stem_at(0), Some(Stem::Vocals));
        assert_eq!(all[2].stem_at(0), Some(Stem::Drums));
    }
}
