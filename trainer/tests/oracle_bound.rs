//! The oracle's rule: its score on tables of levels, and its answers.

#[path = "common/levels.rs"]
mod levels;

use levels::{fixture_rows, published_table};
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use mixing_buddy_trainer::oracle::{AllowedStems, BalanceDensity, ChunkNorms, LevelRow, Rule, RuleAnswer};
use mixing_buddy_trainer::protocol::{Category, Split};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

struct Case {
    levels_db: PerStem<f64>,
    target: Stem,
    category: Category,
}

/// The published protocol on the `test` chunks that pass the gate, two seeded gains a target and category.
fn cases(rows: &[LevelRow]) -> Vec<Case> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut cases = Vec::new();
    for row in rows.iter().filter(|row| row.split == Split::Test && row.passes_gate()) {
        for target in Stem::TARGETS {
            for category in Category::ALL {
                for _ in 0..2 {
                    let gain_db =
                        category.gain_range_db().map_or(0.0, |(low, high)| rng.random_range(low..high));
                    let mut levels_db = row.stems_dbfs;
                    levels_db[target] += gain_db;
                    cases.push(Case { levels_db, target, category });
                }
            }
        }
    }
    cases
}

#[derive(Default)]
struct Tally {
    samples: usize,
    right: usize,
    balanced: usize,
    left_alone: usize,
}

impl Tally {
    fn add(&mut self, case: &Case, answer: RuleAnswer) {
        let truth = case.category.direction().map(|direction| (case.target, direction));
        let right = answer.error == truth;
        self.samples += 1;
        self.right += usize::from(right);
        if truth.is_none() {
            self.balanced += 1;
            self.left_alone += usize::from(right);
        }
    }

    fn joint(&self) -> f64 {
        100.0 * self.right as f64 / self.samples as f64
    }

    fn left_alone(&self) -> f64 {
        100.0 * self.left_alone as f64 / self.balanced as f64
    }
}

/// Scores of the rule in percent.
#[derive(Debug)]
struct Bound {
    joint_anchor: f64,
    left_alone_anchor: f64,
    joint_no_anchor: f64,
}

/// Scores the rule behind the exact table and behind the shipped summary on the test chunks of a table. The first must be
/// as expected within 1 %, the second differ from it by less than `tolerance` percent, and both name the same error for
/// more than `agreement` percent of the samples.
fn check_bound(rows: &[LevelRow], expected: &Bound, tolerance: f64, agreement: f64) {
    let no_error_db = [0.0; Stem::TARGET_COUNT];
    let exact = Rule::new(ChunkNorms::from_rows(rows).expect("training chunks").density(no_error_db));
    let summary = Rule::new(BalanceDensity::of_norms(NormsSummary::shipped(), no_error_db));
    let (mut exact_anchor, mut exact_free) = (Tally::default(), Tally::default());
    let (mut summary_anchor, mut summary_free) = (Tally::default(), Tally::default());
    let (mut agreed, mut compared) = (0_usize, 0_usize);
    for case in cases(rows) {
        let by_table = exact.hypotheses(&case.levels_db);
        let by_summary = summary.hypotheses(&case.levels_db);
        exact_free.add(&case, by_table.posterior(AllowedStems::ALL).answer());
        summary_free.add(&case, by_summary.posterior(AllowedStems::ALL).answer());
        for anchor in Stem::TARGETS.into_iter().filter(|anchor| *anchor != case.target) {
            let allowed = AllowedStems::without(Some(anchor));
            let one = by_table.posterior(allowed).answer();
            let other = by_summary.posterior(allowed).answer();
            agreed += usize::from(one.error == other.error);
            compared += 1;
            exact_anchor.add(&case, one);
            summary_anchor.add(&case, other);
        }
    }
    let found = |anchor: &Tally, free: &Tally| Bound {
        joint_anchor: anchor.joint(),
        left_alone_anchor: anchor.left_alone(),
        joint_no_anchor: free.joint(),
    };
    let agreed = 100.0 * agreed as f64 / compared as f64;
    let (exact, summary) = (found(&exact_anchor, &exact_free), found(&summary_anchor, &summary_free));
    eprintln!("table {exact:.2?}, summary {summary:.2?}, agreement {agreed:.2} %");
    assert!((exact.joint_anchor - expected.joint_anchor).abs() < 1.0);
    assert!((exact.left_alone_anchor - expected.left_alone_anchor).abs() < 1.0);
    assert!((exact.joint_no_anchor - expected.joint_no_anchor).abs() < 1.0);
    assert!((summary.joint_anchor - exact.joint_anchor).abs() < tolerance);
    assert!((summary.joint_no_anchor - exact.joint_no_anchor).abs() < tolerance);
    assert!(agreed > agreement);
}

/// Measured on the published table: 712 chunks of 42 test songs, every sample of the protocol.
///
/// The benchmark quotes 63.2 %, 46.6 % and 56.3 %, from before thirteen songs were taken out of the table. On what is
/// left, this code and an independent one in numpy both find the figures below; the interval over 42 songs (56 to
/// 65 %) holds the quoted one.
const PUBLISHED: Bound = Bound { joint_anchor: 60.0, left_alone_anchor: 40.0, joint_no_anchor: 53.2 };

#[test]
fn the_bound_is_as_measured_and_the_summary_judges_alike() {
    let Some(path) = published_table() else { return };
    check_bound(&LevelRow::read_csv(&path).expect("the table is readable"), &PUBLISHED, 1.0, 93.0);
}

/// Measured on the fixture: 144 chunks of 24 songs that are drawn from the norms, behind a table of 48 others. So few
/// songs are further from the summary than the published table.
const DRAWN: Bound = Bound { joint_anchor: 58.6, left_alone_anchor: 40.0, joint_no_anchor: 50.8 };

#[test]
fn the_bound_of_drawn_songs_is_as_measured_and_the_summary_judges_alike() {
    check_bound(&fixture_rows(), &DRAWN, 2.0, 85.0);
}

#[test]
fn an_obvious_flaw_is_named_and_its_correction_has_the_right_sign_and_size() {
    let norms = NormsSummary::shipped();
    let usual = norms.usual.map(|usual| usual.mean_db);
    let balance = [usual.vocals, usual.drums, usual.bass];
    let levels =
        mixing_buddy_core::norms::levels_from_rest_levels(balance).expect("a usual balance is consistent");
    let rule = Rule::new(BalanceDensity::reference(balance, [1.0; 3]));
    assert_eq!(rule.posterior(&levels, AllowedStems::ALL).answer().error, None);
    for stem in Stem::TARGETS {
        for (gain_db, direction) in [(-8.0, Direction::Quiet), (8.0, Direction::Loud)] {
            let mut flawed = levels;
            flawed[stem] += gain_db;
            let answer = rule.posterior(&flawed, AllowedStems::ALL).answer();
            assert_eq!(answer.error, Some((stem, direction)));
            assert!((answer.gain_db + gain_db).abs() < 1.0, "{stem}: {} for {gain_db}", answer.gain_db);
            let anchored = rule.posterior(&flawed, AllowedStems::without(Some(stem)));
            assert_ne!(anchored.answer().error.map(|(named, _)| named), Some(stem));
        }
    }
}

#[test]
fn absolute_level_does_not_matter_and_probabilities_sum_to_one() {
    let rule = Rule::new(BalanceDensity::of_norms(NormsSummary::shipped(), [1.0; 3]));
    let levels = PerStem { vocals: -18.0, drums: -24.0, bass: -25.0, other: -20.0 };
    let one = rule.posterior(&levels, AllowedStems::ALL);
    let other = rule.posterior(&levels.map(|level| level + 17.0), AllowedStems::ALL);
    assert!((one.none - other.none).abs() < 1e-9);
    let total: f64 = Category::ALL.into_iter().map(|category| one.of_category(category)).sum();
    assert!((total - 1.0).abs() < 1e-9);
    let nothing = rule.posterior(&levels, AllowedStems::ALL.and_present(&PerStem::default()));
    assert_eq!(nothing.answer().error, None);
}

#[test]
fn simulated_songs_spread_as_the_summary_says() {
    let norms = NormsSummary::shipped();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut uniform = || rng.random::<f64>();
    let draws: Vec<_> = (0..20_000).map(|_| norms.sample_song(&mut uniform)).collect();
    let (_, total) = norms.moments();
    let sd = |values: Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    for (c, row) in total.iter().enumerate() {
        let windows = sd(draws.iter().map(|draw| draw.window_db[c]).collect());
        let deviations = sd(draws.iter().map(|draw| draw.window_db[c] - draw.song_mean_db[c]).collect());
        let within = norms.within_song_covariance_db2[c][c].sqrt();
        assert!((windows / row[c].sqrt() - 1.0).abs() < 0.1, "windows spread by {windows}");
        assert!((deviations / within - 1.0).abs() < 0.1, "windows are {deviations} dB from their song");
    }
}
