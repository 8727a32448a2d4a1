//! What the exchange of a step costs, without the step: `cargo bench --workspace --features mixing-buddy-trainer/mpi
//! --bench ranks_exchange --no-run`, then `mpirun -n 8` with the program that it names. The gradients are those of the
//! encoder of the shipped weights.

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Var};
use mixing_buddy_core::encoder::{Encoder, EncoderConfig};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use mixing_buddy_core::output::note;
use mixing_buddy_trainer::train::gradient_sum::{GradientSum, PartGradients};
use mixing_buddy_trainer::train::ranks::{Ranks, with_ranks};
use std::collections::BTreeMap;
use std::time::Instant;

/// Exchanges that are measured.
const STEPS: usize = 300;

fn measure(ranks: &dyn Ranks, vars: &BTreeMap<String, Var>) -> Result<()> {
    let gradients = vars.values().map(|var| Some(vec![0.5; var.elem_count()])).collect();
    let part = PartGradients { gradients, figures: vec![("loss", 1.0)] };
    let mut times_ms = Vec::new();
    for _ in 0..STEPS {
        // All begin together, so that nobody's late start is counted.
        ranks.as_first(true);
        let began = Instant::now();
        let mut sum = GradientSum::new(ranks, vars, ranks.count());
        sum.add_round(std::slice::from_ref(&part));
        let (gradients, _) = sum.finish();
        times_ms.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(gradients.len() == vars.len(), "gradients are missing");
    }
    times_ms.sort_by(f64::total_cmp);
    if ranks.is_first() {
        let weights: usize = vars.values().map(|var| var.elem_count()).sum();
        note(&format!(
            "{} ranks, {} variables, {:.2} MB: exchange {:.2} ms at best, {:.2} ms in the median of {STEPS}",
            ranks.count(),
            vars.len(),
            4e-6 * weights as f64,
            times_ms[0],
            times_ms[STEPS / 2]
        ));
    }
    Ok(())
}

fn main() -> Result<()> {
    with_ranks(|ranks| {
        let params = Params::train(1, &Device::Cpu);
        Encoder::new(&params, &EncoderConfig::default(), &FeatureSettings::default())
            .context("the encoder cannot be made")?;
        measure(ranks, &params.vars())
    })
}
