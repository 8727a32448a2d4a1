//! The mean of the gradients of a step's parts, added in the order of the parts, whoever computed them.
//!
//! Sums of floating-point numbers depend on their order. So a run in many processes adds as a run in one process does:
//! the sum passes through the ranks as through a chain. The first rank adds its parts and sends the sum on, the next one
//! adds its own, and the last one gives the result to all. The sum travels in pieces, so that all ranks of the chain add
//! at the same time. In a step of several rounds, the last rank hands the sum to the first one for the next round.

use super::optimizer::Gradients;
use super::ranks::Ranks;
use candle_core::Var;
use std::collections::BTreeMap;
use std::ops::Range;

/// Floats of a piece: 64 KiB. With smaller pieces the latency of each counts more, with larger ones a long chain fills
/// slowly.
const PIECE: usize = 1 << 14;

/// What one part of a step gives.
pub struct PartGradients {
    /// A gradient for each variable, in the order of the variables; none where the part does not depend on it.
    pub gradients: Vec<Option<Vec<f32>>>,
    /// Figures for the log, by name.
    pub figures: Vec<(&'static str, f64)>,
}

/// The sum over the parts so far, each with the same share.
pub struct GradientSum<'a> {
    ranks: &'a dyn Ranks,
    /// Names of the variables, with the place of each among the values.
    places: Vec<(&'a str, Range<usize>)>,
    values: Vec<f32>,
    /// For each variable, whether a part had a gradient.
    is_present: Vec<bool>,
    figures: Vec<(&'static str, f64)>,
    /// Parts of the step.
    parts: usize,
    rounds_done: usize,
}

impl<'a> GradientSum<'a> {
    /// An empty sum for a step of so many parts.
    pub fn new(ranks: &'a dyn Ranks, vars: &'a BTreeMap<String, Var>, parts: usize) -> Self {
        let mut places = Vec::with_capacity(vars.len());
        let mut end = 0;
        for (name, var) in vars {
            let start = end;
            end += var.elem_count();
            places.push((name.as_str(), start..end));
        }
        let is_present = vec![false; places.len()];
        GradientSum {
            ranks,
            places,
            values: vec![0.0; end],
            is_present,
            figures: Vec::new(),
            parts,
            rounds_done: 0,
        }
    }

    /// Adds the parts of a round: these are the parts of this rank.
    pub fn add_round(&mut self, parts: &[PartGradients]) {
        let (index, count) = (self.ranks.index(), self.ranks.count());
        let is_last = index + 1 == count;
        if self.figures.is_empty()
            && let Some(part) = parts.first()
        {
            self.figures = part.figures.iter().map(|(name, _)| (*name, 0.0)).collect();
        }
        if self.rounds_done > 0 && count > 1 {
            self.hand_over(is_last);
        }
        self.rounds_done += 1;
        if index > 0 {
            let mut head = self.head();
            self.ranks.receive_figures(index - 1, &mut head);
            self.set_head(&head);
        }
        let was_present = self.is_present.clone();
        self.add_figures(parts);
        if !is_last {
            self.ranks.send_figures(index + 1, &self.head());
        }
        for start in (0..self.values.len()).step_by(PIECE) {
            let piece = start..(start + PIECE).min(self.values.len());
            if index > 0 {
                self.ranks.receive(index - 1, &mut self.values[piece.clone()]);
            }
            self.add(piece.clone(), parts, &was_present);
            if !is_last {
                self.ranks.send(index + 1, &self.values[piece]);
            }
        }
    }

    /// The last rank gives the sum of the rounds so far to the first one. It does so when both have computed their next
    /// parts: the first would not take it earlier. It sends all before it receives, so the first takes all before it sends.
    fn hand_over(&mut self, is_last: bool) {
        let last = self.ranks.count() - 1;
        if is_last {
            self.ranks.send_figures(0, &self.head());
            self.values.chunks(PIECE).for_each(|piece| self.ranks.send(0, piece));
        } else if self.ranks.is_first() {
            let mut head = self.head();
            self.ranks.receive_figures(last, &mut head);
            self.set_head(&head);
            self.values.chunks_mut(PIECE).for_each(|piece| self.ranks.receive(last, piece));
        }
    }

    /// Adds these parts to a piece of the values; `was_present` tells which variables had a gradient before them.
    fn add(&mut self, piece: Range<usize>, parts: &[PartGradients], was_present: &[bool]) {
        let share = 1.0 / self.parts as f32;
        let first = self.places.partition_point(|(_, place)| place.end <= piece.start);
        for (at, (_, place)) in self.places.iter().enumerate().skip(first) {
            if place.start >= piece.end {
                break;
            }
            let both = place.start.max(piece.start)..place.end.min(piece.end);
            let within = both.start - place.start..both.end - place.start;
            let sums = &mut self.values[both];
            let mut is_present = was_present[at];
            for gradient in parts.iter().filter_map(|part| part.gradients[at].as_ref()) {
                let gradient = &gradient[within.clone()];
                if is_present {
                    sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g * share);
                } else {
                    sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum = g * share);
                    is_present = true;
                }
            }
        }
    }

    fn add_figures(&mut self, parts: &[PartGradients]) {
        for part in parts {
            for ((_, sum), (_, value)) in self.figures.iter_mut().zip(&part.figures) {
                *sum += value / self.parts as f64;
            }
            for (is_present, gradient) in self.is_present.iter_mut().zip(&part.gradients) {
                *is_present |= gradient.is_some();
            }
        }
    }

    /// What travels before the values: which variables have a gradient, then the figures.
    fn head(&self) -> Vec<f64> {
        let flags = self.is_present.iter().map(|is_present| f64::from(u8::from(*is_present)));
        flags.chain(self.figures.iter().map(|(_, sum)| *sum)).collect()
    }

    fn set_head(&mut self, head: &[f64]) {
        let (flags, figures) = head.split_at(self.is_present.len());
        self.is_present.iter_mut().zip(flags).for_each(|(is_present, flag)| *is_present = *flag != 0.0);
        self.figures.iter_mut().zip(figures).for_each(|((_, sum), figure)| *sum = *figure);
    }

    /// The means over all parts, the same on every rank: gradients of the variables that have one, and figures.
    pub fn finish(mut self) -> (Gradients, Vec<(&'static str, f64)>) {
        if self.ranks.count() > 1 {
            let last = self.ranks.count() - 1;
            let mut head = self.head();
            self.ranks.broadcast_figures(last, &mut head);
            self.set_head(&head);
            self.ranks.broadcast(last, &mut self.values);
        }
        let present = self.places.into_iter().zip(self.is_present).filter(|(_, is_present)| *is_present);
        let gradients =
            present.map(|((name, place), _)| (name.to_string(), self.values[place].to_vec())).collect();
        (gradients, self.figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::ranks::OneProcess;
    use crate::train::ranks::threads::as_ranks;
    use candle_core::{DType, Device};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A large variable that spans pieces, small ones, and one that no part depends on.
    const SIZES: [usize; 5] = [3, 2 * PIECE + 5, 1, 40, 7];
    const UNUSED: usize = 4;

    fn vars() -> BTreeMap<String, Var> {
        let var = |size: usize| Var::zeros(size, DType::F32, &Device::Cpu).unwrap();
        SIZES.iter().enumerate().map(|(at, size)| (format!("v{at}"), var(*size))).collect()
    }

    /// A part whose gradients depend on its number alone; some are missing, and some values are negative zeros.
    fn part(number: usize) -> PartGradients {
        let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
        let gradients = (0..SIZES.len())
            .map(|at| {
                let is_there = at != UNUSED && rng.random_bool(0.6);
                let mut value = || if rng.random_bool(0.1) { -0.0 } else { rng.random_range(-1.0..1.0f32) };
                is_there.then(|| (0..SIZES[at]).map(|_| value()).collect())
            })
            .collect();
        PartGradients { gradients, figures: vec![("loss", rng.random()), ("other", rng.random())] }
    }

    type Bits = (BTreeMap<String, Vec<u32>>, Vec<u64>);

    fn bits(sum: GradientSum<'_>) -> Bits {
        let (gradients, figures) = sum.finish();
        let of = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        (
            gradients.into_iter().map(|(name, values)| (name, of(values))).collect(),
            figures.into_iter().map(|(_, figure)| figure.to_bits()).collect(),
        )
    }

    fn summed(ranks: &dyn Ranks, shards: usize, rounds: usize) -> Bits {
        let vars = vars();
        let mut sum = GradientSum::new(ranks, &vars, shards * rounds);
        let own = shards / ranks.count();
        for round in 0..rounds {
            let first = round * shards + ranks.index() * own;
            let parts: Vec<PartGradients> = (first..first + own).map(part).collect();
            sum.add_round(&parts);
        }
        bits(sum)
    }

    #[test]
    fn any_number_of_ranks_gives_the_bits_of_one_process() {
        for (shards, rounds) in [(4, 1), (4, 3), (12, 2)] {
            let whole = summed(&OneProcess, shards, rounds);
            assert!(!whole.0.contains_key(&format!("v{UNUSED}")));
            for count in [2, 3, 4, 12].into_iter().filter(|count| shards % count == 0) {
                for (rank, parted) in
                    as_ranks(count, |ranks| summed(ranks, shards, rounds)).iter().enumerate()
                {
                    assert!(*parted == whole, "{shards} shards, {rounds} rounds, {count} ranks, rank {rank}");
                }
            }
        }
    }

    #[test]
    fn the_sum_is_the_one_that_adds_part_by_part() {
        let (gradients, _) = {
            let vars = vars();
            let mut sum = GradientSum::new(&OneProcess, &vars, 6);
            sum.add_round(&[part(0), part(1), part(2)]);
            sum.add_round(&[part(3), part(4), part(5)]);
            sum.finish()
        };
        let share = 1.0 / 6.0f32;
        let mut expected: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        for number in 0..6 {
            for (at, gradient) in part(number).gradients.into_iter().enumerate() {
                let Some(gradient) = gradient else { continue };
                let scaled = gradient.iter().map(|g| g * share);
                match expected.get_mut(&format!("v{at}")) {
                    Some(sum) => sum.iter_mut().zip(scaled).for_each(|(sum, g)| *sum += g),
                    None => _ = expected.insert(format!("v{at}"), scaled.collect()),
                }
            }
        }
        assert_eq!(gradients, expected);
    }
}
