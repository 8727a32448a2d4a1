//! Text, token by token.

use super::cache::Cache;
use super::files::QwenTokenizer;
use super::model::{Model, RunOptions};
use crate::decoder::sampling::{draw, most_probable};
use crate::error::Result;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// The most probable one.
    Greedy,
    /// At random, by the probabilities at a temperature, from a seed: the same seed gives the same text.
    Random {
        /// Temperature.
        temperature: f32,
        /// A token with less than this share of the most probable one's weight is replaced by that one.
        least_weight: f32,
        /// Seed.
        seed: u64,
    },
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model ended it.
    Complete,
    /// It reached the given number of tokens.
    Length,
}

/// Writes tokens after what the cache holds, until the model ends the text or `most` tokens are written.
///
/// `logits` are those of the first token, as [`Model::extend`] returns them. `written` sees each token as it comes. The token
/// that ends the text is not written. Afterwards the cache holds all written tokens but the last.
///
/// # Errors
/// As [`Model::extend`], and what `written` returns.
pub fn generate(
    model: &Model,
    tokenizer: &QwenTokenizer,
    (cache, mut logits): (&mut Cache, Vec<f32>),
    (mut sampling, most): (Sampling, usize),
    options: &RunOptions,
    mut written: impl FnMut(u32) -> Result<()>,
) -> Result<Ending> {
    for n in 0..most {
        options.cancel.check()?;
        let next = match &mut sampling {
            Sampling::Greedy => most_probable(&logits),
            Sampling::Random { temperature, least_weight, seed } => {
                draw(&logits, *temperature, *least_weight, seed)
            }
        };
        if tokenizer.is_end(next) {
            return Ok(Ending::Complete);
        }
        written(next)?;
        if n + 1 < most {
            logits = model.extend(cache, &model.embed(&[next])?, options)?;
        }
    }
    Ok(Ending::Length)
}
