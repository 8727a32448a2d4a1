//! Scores of answers with known figures.

use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::{Direction, Stem};
use mixing_buddy_trainer::evaluation::{
    Answered, Confusion, Judged, MeterError, SongResamples, coverage_curve, is_well_formed, meter_figures,
    score,
};
use mixing_buddy_trainer::protocol::{Category, Protocol, Sample, plan_window};

fn samples(songs: usize) -> Vec<(usize, Sample)> {
    (0..songs)
        .flat_map(|song| {
            let (_, samples) = plan_window(Protocol::Anchor, 3, &format!("song {song}"), 0);
            samples.into_iter().map(move |sample| (song, sample))
        })
        .collect()
}

fn error(stem: Stem, direction: Direction, correction_db: f64) -> BestAnswer {
    BestAnswer {
        verdict: Verdict::of_error(direction, correction_db as f32),
        stem: Some(stem),
        gain_db: Some(correction_db as f32),
    }
}

const NO_ERROR: BestAnswer = BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None };

fn oracle(sample: &Sample) -> BestAnswer {
    sample.truth().map_or(NO_ERROR, |(stem, direction)| error(stem, direction, -sample.gain_db))
}

fn swapped(sample: &Sample) -> BestAnswer {
    match sample.truth() {
        None => error(sample.target, Direction::Loud, -4.0),
        Some((stem, Direction::Quiet)) => error(stem, Direction::Loud, sample.gain_db),
        Some((stem, Direction::Loud)) => error(stem, Direction::Quiet, sample.gain_db),
    }
}

fn judge(songs: usize, answer: impl Fn(&Sample) -> BestAnswer, confidence: f64) -> Vec<Judged> {
    samples(songs)
        .iter()
        .map(|(song, sample)| Judged::new(*song, sample, &answered(answer(sample), confidence)))
        .collect()
}

fn answered(best: BestAnswer, confidence: f64) -> Answered {
    Answered { best: Some(best), confidence, spoken: true, text: String::new() }
}

#[test]
fn perfect_answers_score_a_hundred_percent() {
    let figures = score(&judge(4, oracle, 1.0), &SongResamples::new(4, 200, 0));
    assert_eq!(figures.samples, 240);
    for figure in [
        figures.joint,
        figures.joint_of_flawed,
        figures.spoken_on,
        figures.joint_of_spoken,
        figures.balanced_left_alone,
        figures.coverage_at_90,
        figures.parse_rate,
        figures.error_precision,
        figures.error_recall,
        figures.magnitude_band_right,
    ] {
        assert_eq!(figure.value, Some(1.0));
        assert_eq!(figure.ci95, Some([1.0, 1.0]));
    }
    for figure in
        figures.joint_by_category.iter().chain(&figures.joint_by_stem).chain(&figures.joint_by_direction)
    {
        assert_eq!(figure.value, Some(1.0));
    }
    assert_eq!(figures.wrong_direction.value, Some(0.0));
    assert_eq!(figures.ece.value, Some(0.0));
    assert!(figures.gain_mae_db.value.expect("all are right") < 1e-6);
}

#[test]
fn swapped_directions_score_nothing_and_are_all_wrong_directions() {
    let figures = score(&judge(4, swapped, 0.9), &SongResamples::new(4, 200, 0));
    assert_eq!(figures.joint.value, Some(0.0));
    assert_eq!(figures.joint_of_flawed.value, Some(0.0));
    assert_eq!(figures.balanced_left_alone.value, Some(0.0));
    assert_eq!(figures.wrong_direction.value, Some(1.0));
    assert_eq!(figures.coverage_at_90.value, Some(0.0));
    assert_eq!(figures.gain_mae_db.value, None);
    assert_eq!(figures.gain_mae_db.ci95, None);
    assert!((figures.ece.value.expect("samples") - 0.9).abs() < 1e-9);
    assert_eq!(figures.parse_rate.value, Some(1.0));
}

#[test]
fn always_no_error_scores_a_fifth_and_unreadable_answers_score_nothing() {
    let figures = score(&judge(3, |_| NO_ERROR, 0.5), &SongResamples::new(3, 50, 0));
    assert_eq!(figures.joint.value, Some(0.2));
    assert_eq!(figures.balanced_left_alone.value, Some(1.0));
    assert_eq!(figures.error_recall.value, Some(0.0));
    assert_eq!(figures.error_precision.value, None);

    let unreadable = Answered { confidence: 0.5, ..Answered::default() };
    let unread: Vec<Judged> =
        samples(3).iter().map(|(song, sample)| Judged::new(*song, sample, &unreadable)).collect();
    let figures = score(&unread, &SongResamples::new(3, 50, 0));
    assert_eq!(figures.joint.value, Some(0.0));
    assert_eq!(figures.parse_rate.value, Some(0.0));
}

#[test]
fn always_abstaining_speaks_on_no_window_and_is_scored_by_its_best_answer() {
    let mut silent = judge(3, oracle, 0.9);
    silent.iter_mut().for_each(|judged| judged.spoken = false);
    let figures = score(&silent, &SongResamples::new(3, 50, 0));
    assert_eq!((figures.spoken_on.value, figures.spoken_on.ci95), (Some(0.0), Some([0.0, 0.0])));
    assert_eq!(figures.joint_of_spoken.value, None);
    assert_eq!((figures.joint.value, figures.coverage_at_90.value), (Some(1.0), Some(1.0)));
}

#[test]
fn a_single_song_has_figures_and_no_intervals() {
    let figures = score(&judge(1, oracle, 1.0), &SongResamples::new(1, 200, 0));
    assert_eq!((figures.joint.value, figures.joint.ci95), (Some(1.0), None));
    assert_eq!(figures.joint_by_stem[0].ci95, None);
}

#[test]
fn confusions_are_on_the_diagonal_for_perfect_answers_and_beside_it_for_swapped_directions() {
    let perfect = Confusion::of(&judge(1, oracle, 1.0));
    for (right, row) in perfect.counts.iter().enumerate() {
        assert_eq!(row.iter().sum::<usize>(), row[right], "row {right}");
    }
    assert_eq!(perfect.counts[0][0], 12);
    let swapped = Confusion::of(&judge(1, swapped, 1.0));
    // Vocals quiet and vocals loud.
    assert_eq!((swapped.counts[1][2], swapped.counts[2][1], swapped.counts[1][1]), (8, 8, 0));
}

#[test]
fn answers_that_contradict_themselves_are_not_well_formed() {
    assert!(is_well_formed(&NO_ERROR));
    assert!(is_well_formed(&error(Stem::Bass, Direction::Loud, -4.0)));
    let faulty = [
        error(Stem::Bass, Direction::Loud, 4.0),
        error(Stem::Other, Direction::Loud, -4.0),
        BestAnswer { verdict: Verdict::Loud, stem: None, gain_db: Some(-4.0) },
        BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Bass), gain_db: None },
        BestAnswer { verdict: Verdict::NoError, stem: Some(Stem::Bass), gain_db: None },
        BestAnswer { verdict: Verdict::Abstain, stem: None, gain_db: None },
    ];
    for answer in faulty {
        assert!(!is_well_formed(&answer), "{answer:?}");
    }
}

#[test]
fn samples_of_equal_confidence_enter_together() {
    // 9 sure and right; 10 less sure and all equal, of which 8 are right: 17 of 19 is under 90 %.
    let sample = Sample {
        song: "song".into(),
        window: 0,
        target: Stem::Vocals,
        anchor: None,
        category: Category::NoError,
        gain_db: 0.0,
        mix: 0,
    };
    let wrong = error(Stem::Drums, Direction::Loud, -4.0);
    let judged: Vec<Judged> = (0..19)
        .map(|index| {
            let answer = if index < 17 { NO_ERROR } else { wrong };
            Judged::new(0, &sample, &answered(answer, if index < 9 { 0.9 } else { 0.6 }))
        })
        .collect();
    let figures = score(&judged, &SongResamples::new(1, 10, 0));
    assert!((figures.coverage_at_90.value.expect("samples") - 9.0 / 19.0).abs() < 1e-9);
    let mut reversed = judged.clone();
    reversed.reverse();
    assert_eq!(score(&reversed, &SongResamples::new(1, 10, 0)).coverage_at_90, figures.coverage_at_90);
    assert_eq!(coverage_curve(&judged).len(), 2);
}

#[test]
fn intervals_over_songs_hold_the_figure_and_are_wide_for_few_songs() {
    // Half of the songs are all right, half all wrong: 0.5, with an interval as wide as few songs make it.
    let half = |songs: usize| {
        let judged: Vec<Judged> = samples(songs)
            .iter()
            .map(|(song, sample)| {
                let answer = if song % 2 == 0 { oracle(sample) } else { swapped(sample) };
                Judged::new(*song, sample, &answered(answer, 0.5))
            })
            .collect();
        score(&judged, &SongResamples::new(songs, 1000, 7)).joint
    };
    let [low, high] = half(10).ci95.expect("an interval");
    assert_eq!(half(10).value, Some(0.5));
    // The binomial's standard deviation of 10 songs is 0.158, so the interval is about 0.2 to 0.8.
    assert!((low - 0.2).abs() < 0.11 && (high - 0.8).abs() < 0.11, "[{low}, {high}]");
    let [low_of_many, high_of_many] = half(100).ci95.expect("an interval");
    assert!(high_of_many - low_of_many < 0.5 * (high - low));
    assert_eq!(half(10), half(10));
}

#[test]
fn gain_error_counts_only_where_stem_and_direction_are_right() {
    let off_by_one = |sample: &Sample| match sample.truth() {
        Some((Stem::Bass, _)) => swapped(sample),
        Some((stem, direction)) => error(stem, direction, -sample.gain_db - f64::from(direction.sign())),
        None => NO_ERROR,
    };
    let figures = score(&judge(2, off_by_one, 0.5), &SongResamples::new(2, 50, 0));
    assert!((figures.gain_mae_db.value.expect("some are right") - 1.0).abs() < 1e-5);
    assert!((figures.wrong_direction.value.expect("flawed") - 1.0 / 3.0).abs() < 1e-9);
}

#[test]
fn meter_figures_are_median_mean_and_spread() {
    let errors: Vec<MeterError> = [-2.0, 1.0, 1.0, 4.0, 1.0]
        .iter()
        .enumerate()
        .map(|(song, error)| MeterError {
            song,
            error_db: mixing_buddy_core::stem::PerStem::from_array([*error, 0.5, -0.5, 0.0]),
        })
        .collect();
    let figures = meter_figures(&errors, &SongResamples::new(5, 200, 0));
    assert_eq!(figures.mad_db.vocals.value, Some(1.0));
    assert_eq!(figures.bias_db.vocals.value, Some(1.0));
    assert!((figures.sd_db.vocals.value.expect("values") - 3.6_f64.sqrt()).abs() < 1e-9);
    assert_eq!(figures.bias_db.bass.value, Some(-0.5));
    assert_eq!(figures.mad_db.bass.value, Some(0.5));
    let two = [MeterError { song: 0, ..errors[0] }, MeterError { song: 0, ..errors[1] }];
    assert_eq!(meter_figures(&two, &SongResamples::new(1, 5, 0)).mad_db.vocals.value, Some(1.5));
}
