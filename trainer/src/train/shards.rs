//! Divides the examples of a step into parts: threads work on them in parallel, round after round, and the gradients of
//! the parts are added.
//!
//! candle runs elementwise operations on one thread, so whole forward and backward passes in parallel use the cores
//! better than a parallel matmul.

use super::optimizer::Gradients;
use anyhow::{Result, anyhow, ensure};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;
use std::ops::Range;

/// How the examples of a step are divided. A part is what one thread works on at a time. Parts are numbered through all
/// steps, and random draws are seeded with the number, so that a resumed run sees the examples of an uninterrupted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSplit {
    /// Threads, and so parts in memory at a time.
    shards: usize,
    /// Rounds of such parts per step.
    rounds: usize,
    /// Examples per part.
    examples: usize,
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
        Ok(BatchSplit { shards, rounds: accumulate, examples: batch / shards })
    }

    /// Threads, and so parts in memory at a time.
    pub fn shards(&self) -> usize {
        self.shards
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

/// Gradients and figures of a part.
type PartResult = Result<(Gradients, Vec<(&'static str, f64)>)>;

/// Runs `part(index)` for each part of a step and returns the mean of the gradients and of the figures. The parts of a
/// round run in parallel, each on its own thread; before the next round their gradients are added to the sum, so that
/// memory does not grow with the number of rounds.
///
/// The sum is made in the order of the parts, so that the result does not depend on which thread ends first.
///
/// # Errors
/// When a part fails or panics, or its loss is not a number.
pub fn gradients(
    vars: &BTreeMap<String, Var>,
    split: BatchSplit,
    part: impl Fn(usize) -> Result<ShardOutcome> + Sync,
) -> PartResult {
    let count = split.parts_per_step();
    let run = |index: usize| -> PartResult {
        let outcome = part(index)?;
        let loss = outcome.loss.to_scalar::<f32>()?;
        ensure!(loss.is_finite(), "the loss of part {} of {count} of its batch is {loss}", index + 1);
        let store = outcome.loss.backward()?;
        let mut gradients = Gradients::new();
        for (name, var) in vars {
            if let Some(gradient) = store.get(var) {
                gradients.insert(name.clone(), gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok((gradients, outcome.figures))
    };
    let share = 1.0 / count as f32;
    let (mut total, mut figures) = (Gradients::new(), Vec::new());
    for round in 0..split.rounds {
        let first = round * split.shards;
        for result in in_parallel(first..first + split.shards, &run) {
            let (gradients, of_part) = result?;
            for (name, gradient) in gradients {
                match total.get_mut(&name) {
                    Some(sum) => sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += g * share),
                    None => _ = total.insert(name, gradient.into_iter().map(|g| g * share).collect()),
                }
            }
            if figures.is_empty() {
                figures = of_part.iter().map(|(name, _)| (*name, 0.0)).collect();
            }
            for ((_, sum), (_, value)) in figures.iter_mut().zip(&of_part) {
                *sum += value / count as f64;
            }
        }
    }
    Ok((total, figures))
}

/// Runs each of these parts on its own thread; a single one on this thread.
fn in_parallel(parts: Range<usize>, run: &(impl Fn(usize) -> PartResult + Sync)) -> Vec<PartResult> {
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
    fn an_impossible_division_is_refused_by_name() {
        for (batch, shards, accumulate, word) in
            [(5, 2, 1, "'shards'"), (4, 0, 1, "'shards'"), (0, 2, 1, "'batch'"), (4, 2, 0, "'accumulate'")]
        {
            let sentence = BatchSplit::new(batch, shards, accumulate).unwrap_err().to_string();
            assert!(sentence.contains(word), "{sentence}");
        }
    }
}
