//! Divides the examples of a step into parts: threads, of one process or of many, work on them in parallel, round after
//! round, and the gradients of the parts are added.
//!
//! candle runs elementwise operations on one thread, so whole forward and backward passes in parallel use the cores
//! better than a parallel matmul.

use super::gradient_sum::{GradientSum, PartGradients};
use super::optimizer::Gradients;
use super::ranks::{OneProcess, Ranks};
use crate::mixing::loaders::Share;
use anyhow::{Result, anyhow, ensure};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;
use std::ops::Range;

/// How the examples of a step are divided. A part is what one thread works on at a time. Parts are numbered through all
/// steps, and random draws are seeded with the number, so that a resumed run sees the examples of an uninterrupted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSplit {
    /// Threads of all ranks, and so parts in memory at a time.
    shards: usize,
    /// Rounds of such parts per step.
    rounds: usize,
    /// Examples per part.
    examples: usize,
    /// Number of this rank, and of all ranks.
    rank: (usize, usize),
}

impl BatchSplit {
    /// Steps of `accumulate` micro-batches of `batch` examples each, every micro-batch shared among `shards` threads.
    ///
    /// # Errors
    /// When `batch` cannot be shared among `shards`, or one of them is 0.
    pub fn new(batch: usize, shards: usize, accumulate: usize) -> Result<Self> {
        ensure!(shards > 0 && batch.is_multiple_of(shards), "'batch' must be a multiple of 'shards'");
        ensure!(batch > 0, "'batch' must be at least 1");
        ensure!(accumulate > 0, "'accumulate' must be at least 1");
        Ok(BatchSplit { shards, rounds: accumulate, examples: batch / shards, rank: (0, 1) })
    }

    /// The same division among several ranks: each works on an equal share of each round.
    ///
    /// # Errors
    /// When the shards cannot be divided equally.
    pub fn among(self, ranks: &dyn Ranks) -> Result<Self> {
        let (shards, count) = (self.shards, ranks.count());
        ensure!(
            shards.is_multiple_of(count),
            "'shards' is {shards}, which cannot be divided equally among {count} ranks; set 'shards' to a multiple \
             of {count}, or start another number of ranks"
        );
        Ok(BatchSplit { rank: (ranks.index(), count), ..self })
    }

    /// Threads of this rank, and so its parts in memory at a time.
    pub fn own_shards(&self) -> usize {
        self.shards / self.rank.1
    }

    /// The parts of this rank in a round, by their places in the step.
    fn own_parts(&self, round: usize) -> Range<usize> {
        let first = round * self.shards + self.rank.0 * self.own_shards();
        first..first + self.own_shards()
    }

    /// Which of the numbers of parts are those of this rank.
    pub fn own_share(&self) -> Share {
        let own = self.own_shards() as u64;
        Share { first: self.rank.0 as u64 * own, count: own, of: self.shards as u64 }
    }

    /// Micro-batches per step, one after another.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Examples of one part.
    pub fn examples_per_part(&self) -> usize {
        self.examples
    }

    /// Parts of one step.
    pub fn parts_per_step(&self) -> usize {
        self.shards * self.rounds
    }

    /// Number of a step's part among the parts of all steps.
    pub fn number(&self, step: usize, part: usize) -> u64 {
        (step * self.parts_per_step() + part) as u64
    }

    /// Numbers of the parts of these steps.
    pub fn numbers(&self, steps: Range<usize>) -> Range<u64> {
        self.number(steps.start, 0)..self.number(steps.end, 0)
    }

    /// Numbers of the examples of a part among the examples of all steps.
    pub fn examples(&self, number: u64) -> Range<u64> {
        let first = number * self.examples as u64;
        first..first + self.examples as u64
    }
}

/// The result of one part of a step.
pub struct ShardOutcome {
    /// Loss to differentiate, a scalar: the mean over the part's examples.
    pub loss: Tensor,
    /// Figures for the log, by name.
    pub figures: Vec<(&'static str, f64)>,
}

/// As [`gradients_of`], in one process.
///
/// # Errors
/// As [`gradients_of`].
pub fn gradients(
    vars: &BTreeMap<String, Var>,
    split: BatchSplit,
    part: impl Fn(usize) -> Result<ShardOutcome> + Sync,
) -> Result<(Gradients, Vec<(&'static str, f64)>)> {
    gradients_of(&OneProcess, vars, split, part)
}

/// Runs `part(index)` for each part of a step that is this rank's and returns the mean of the gradients and of the
/// figures of all ranks. The parts of a round run in parallel, each on its own thread; before the next round their
/// gradients are added to the sum, so that memory does not grow with the number of rounds.
///
/// The sum is made in the order of the parts, so that the result does not depend on which thread ends first, nor on the
/// number of ranks.
///
/// # Errors
/// When a part of this rank fails or panics, or its loss is not a number.
pub fn gradients_of(
    ranks: &dyn Ranks,
    vars: &BTreeMap<String, Var>,
    split: BatchSplit,
    part: impl Fn(usize) -> Result<ShardOutcome> + Sync,
) -> Result<(Gradients, Vec<(&'static str, f64)>)> {
    let count = split.parts_per_step();
    let run = |index: usize| -> Result<PartGradients> {
        let outcome = part(index)?;
        let loss = outcome.loss.to_scalar::<f32>()?;
        ensure!(loss.is_finite(), "the loss of part {} of {count} of its batch is {loss}", index + 1);
        let store = outcome.loss.backward()?;
        let values = |var: &Var| -> Result<Option<Vec<f32>>> {
            let gradient = store.get(var);
            gradient.map(|gradient| Ok(gradient.flatten_all()?.to_vec1::<f32>()?)).transpose()
        };
        let gradients = vars.values().map(values).collect::<Result<_>>()?;
        Ok(PartGradients { gradients, figures: outcome.figures })
    };
    let mut sum = GradientSum::new(ranks, vars, count);
    for round in 0..split.rounds {
        let parts = in_parallel(split.own_parts(round), &run);
        sum.add_round(&parts.into_iter().collect::<Result<Vec<_>>>()?);
    }
    Ok(sum.finish())
}

/// Runs each of these parts on its own thread; a single one on this thread.
fn in_parallel(
    parts: Range<usize>,
    run: &(impl Fn(usize) -> Result<PartGradients> + Sync),
) -> Vec<Result<PartGradients>> {
    if parts.len() == 1 {
        return parts.map(run).collect();
    }
    std::thread::scope(|scope| {
        let handles: Vec<_> = parts.map(|index| scope.spawn(move || run(index))).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_| Err(anyhow!("a training thread panicked"))))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Gradient and loss of the mean of `(w · x - 1)²` over eight examples, divided in this way.
    fn of_eight(batch: usize, shards: usize, accumulate: usize) -> (Vec<f32>, f64) {
        let rows: Vec<f32> = (0..24).map(|at| (at as f32 * 0.7).sin()).collect();
        let var = Var::new(&[0.3f32, -0.2, 0.5], &Device::Cpu).unwrap();
        let vars = BTreeMap::from([("w".to_string(), var.clone())]);
        let split = BatchSplit::new(batch, shards, accumulate).unwrap();
        let (gradients, figures) = gradients(&vars, split, |part| {
            let examples = split.examples(split.number(0, part));
            let (count, from) = (examples.end - examples.start, 3 * examples.start as usize);
            let x = &rows[from..from + 3 * count as usize];
            let x = Tensor::from_slice(x, (count as usize, 3), &Device::Cpu)?;
            let error = (x.matmul(&var.reshape((3, 1))?)? - 1.0)?;
            let loss = error.sqr()?.mean_all()?;
            let figures = vec![("loss", f64::from(loss.to_scalar::<f32>()?))];
            Ok(ShardOutcome { loss, figures })
        })
        .unwrap();
        (gradients["w"].clone(), figures[0].1)
    }

    #[test]
    fn the_gradient_is_the_mean_over_all_examples_however_they_are_divided() {
        let (whole, loss) = of_eight(8, 1, 1);
        for (batch, shards, accumulate) in [(4, 1, 2), (8, 2, 1), (2, 1, 4), (4, 2, 2), (1, 1, 8)] {
            let (parted, of_parts) = of_eight(batch, shards, accumulate);
            let worst = whole.iter().zip(&parted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6 && (loss - of_parts).abs() < 1e-6, "{batch} {shards} {accumulate}: {worst}");
        }
    }

    #[test]
    fn parts_and_examples_are_numbered_through_all_steps() {
        let split = BatchSplit::new(6, 2, 3).unwrap();
        assert_eq!((split.parts_per_step(), split.examples_per_part()), (6, 3));
        assert_eq!(split.number(2, 5), 17);
        assert_eq!(split.numbers(1..3), 6..18);
        assert_eq!(split.examples(17), 51..54);
    }

    #[test]
    fn ranks_share_each_round_of_a_step() {
        use crate::train::ranks::threads::as_ranks;
        let split = BatchSplit::new(12, 6, 2).unwrap();
        let shares = as_ranks(3, |ranks| {
            let own = split.among(ranks).unwrap();
            (own.own_parts(0), own.own_parts(1), own.own_share())
        });
        assert_eq!((&shares[0].0, &shares[0].1), (&(0..2), &(6..8)));
        assert_eq!((&shares[2].0, &shares[2].1), (&(4..6), &(10..12)));
        assert_eq!(shares[1].2, Share { first: 2, count: 2, of: 6 });
        let refused = as_ranks(4, |ranks| split.among(ranks).unwrap_err().to_string());
        assert!(refused[3].contains("'shards' is 6") && refused[3].contains("4 ranks"), "{}", refused[3]);
    }

    #[test]
    fn an_impossible_division_is_refused_by_name() {
        for (batch, shards, accumulate, word) in
            [(5, 2, 1, "'shards'"), (4, 0, 1, "'shards'"), (0, 2, 1, "'batch'"), (4, 2, 0, "'accumulate'")]
        {
            let sentence = BatchSplit::new(batch, shards, accumulate).unwrap_err().to_string();
            assert!(sentence.contains(word), "{sentence}");
        }
    }
}
