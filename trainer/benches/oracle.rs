//! What a posterior of the oracle costs: `cargo bench --workspace --bench oracle`.
//!
//! Training labels take hundreds of thousands of them. By the summary of the norms is how training makes them.

use criterion::{Criterion, criterion_group, criterion_main};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::stem::PerStem;
use mixing_buddy_trainer::oracle::{AllowedStems, BalanceDensity, Rule};
use std::hint::black_box;

fn posterior(criterion: &mut Criterion) {
    let rule = Rule::new(BalanceDensity::of_norms(NormsSummary::shipped(), [1.0; 3]));
    let levels = PerStem { vocals: -18.0, drums: -24.0, bass: -25.0, other: -20.0 };
    criterion.bench_function("a posterior by the summary", |b| {
        b.iter(|| rule.posterior(black_box(&levels), AllowedStems::ALL))
    });
}

criterion_group!(benches, posterior);
criterion_main!(benches);
