//! How well the model measures stems against the rest of the mix.

use super::bootstrap::{Figure, SongResamples};
use mixing_buddy_core::stem::{PerStem, Stem};

/// Measured minus true levels of one mix: stem-minus-rest levels, RMS, dB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeterError {
    /// Number of the song, for the bootstrap.
    pub song: usize,
    /// Measured minus true level of each stem.
    pub error_db: PerStem<f64>,
}

/// Error of the meter per stem.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeterFigures {
    /// Median of the absolute error.
    pub mad_db: PerStem<Figure>,
    /// 90th percentile of the absolute error.
    pub p90_db: PerStem<Figure>,
    /// Mean error.
    pub bias_db: PerStem<Figure>,
    /// Standard deviation of the error.
    pub sd_db: PerStem<Figure>,
}

/// A statistic of errors, each with its song's number, where songs weigh as given.
type Statistic = fn(&[(usize, f64)], &[f64]) -> Option<f64>;

/// The meter's figures, with intervals over songs.
pub fn meter_figures(errors: &[MeterError], resamples: &SongResamples) -> MeterFigures {
    let figure = |stem: Stem, statistic: Statistic| {
        let mut values: Vec<(usize, f64)> =
            errors.iter().map(|error| (error.song, error.error_db[stem])).collect();
        values.sort_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        Figure {
            value: statistic(&values, &resamples.plain()),
            ci95: resamples.interval(|weights| statistic(&values, weights)),
        }
    };
    MeterFigures {
        mad_db: PerStem::from_fn(|stem| figure(stem, median_absolute)),
        p90_db: PerStem::from_fn(|stem| {
            figure(stem, |values, weights| absolute_quantile(values, weights, 0.9))
        }),
        bias_db: PerStem::from_fn(|stem| {
            figure(stem, |values, weights| moments(values, weights).map(|(m, _)| m))
        }),
        sd_db: PerStem::from_fn(|stem| {
            figure(stem, |values, weights| moments(values, weights).map(|(_, s)| s))
        }),
    }
}

/// Mean error in dB of all songs but one; none where there is no other.
pub(crate) fn mean_error(errors: &[MeterError], left_out: usize) -> Option<PerStem<f64>> {
    let others: Vec<&MeterError> = errors.iter().filter(|error| error.song != left_out).collect();
    let sum = |stem: Stem| others.iter().map(|error| error.error_db[stem]).sum::<f64>();
    (!others.is_empty()).then(|| PerStem::from_fn(|stem| sum(stem) / others.len() as f64))
}

/// Median of the absolute values, by which they are sorted; each counts as often as its song was drawn.
/// None where no song was.
pub fn median_absolute(sorted: &[(usize, f64)], weights: &[f64]) -> Option<f64> {
    absolute_quantile(sorted, weights, 0.5)
}

/// The absolute value below which this share of them lies; otherwise as [`median_absolute`].
fn absolute_quantile(sorted: &[(usize, f64)], weights: &[f64], share: f64) -> Option<f64> {
    let below = share * sorted.iter().map(|(song, _)| weights[*song]).sum::<f64>();
    let mut sum = 0.0;
    let mut present = sorted.iter().filter(|(song, _)| weights[*song] > 0.0);
    while let Some((song, value)) = present.next() {
        sum += weights[*song];
        if sum > below {
            return Some(value.abs());
        }
        if sum == below {
            // Exactly this share lies below: the quantile is midway to the next value.
            return Some(present.next().map_or(value.abs(), |(_, next)| 0.5 * (value.abs() + next.abs())));
        }
    }
    None
}

fn moments(values: &[(usize, f64)], weights: &[f64]) -> Option<(f64, f64)> {
    let total: f64 = values.iter().map(|(song, _)| weights[*song]).sum();
    if total <= 0.0 {
        return None;
    }
    let mean = values.iter().map(|(song, value)| weights[*song] * value).sum::<f64>() / total;
    let variance =
        values.iter().map(|(song, value)| weights[*song] * (value - mean).powi(2)).sum::<f64>() / total;
    Some((mean, variance.sqrt()))
}

/// The median; 0 without values.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    // `median_absolute` gives magnitudes, so values are shifted above zero.
    let Some(least) = values.first().copied() else { return 0.0 };
    let shifted: Vec<(usize, f64)> = values.iter().map(|value| (0, value - least)).collect();
    median_absolute(&shifted, &[1.0]).map_or(0.0, |median| median + least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_count_songs_as_often_as_they_were_drawn() {
        let values = [(0, 1.0), (0, -2.0), (1, 5.0), (1, 7.0)];
        assert_eq!(median_absolute(&values, &[1.0, 0.0]), Some(1.5));
        assert_eq!(median_absolute(&values, &[0.0, 1.0]), Some(6.0));
        assert_eq!(median_absolute(&values, &[2.0, 1.0]), Some(2.0));
        assert_eq!(median_absolute(&values, &[0.0, 0.0]), None);
    }

    #[test]
    fn a_tenth_of_the_errors_is_above_the_90th_percentile() {
        let values: Vec<(usize, f64)> = (0..40).map(|n| (n % 2, f64::from(n as i32) + 1.0)).collect();
        let p90 = |weights: &[f64]| absolute_quantile(&values, weights, 0.9).unwrap();
        assert_eq!(p90(&[1.0, 1.0]), 36.5);
        // The odd values alone, up to 39: 18 of 20 lie below.
        assert_eq!(p90(&[1.0, 0.0]), 36.0);
    }
}
