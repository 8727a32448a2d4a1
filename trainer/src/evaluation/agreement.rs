//! Agreement between raters: Krippendorff's alpha with the interval metric.
//!
//! Klaus Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).

/// Krippendorff's alpha of units, each with the values that raters gave it (missing ones left out): 1 is perfect agreement,
/// 0 what chance gives. None where no unit has two values, or all values are the same.
pub fn krippendorff_alpha(units: &[Vec<f64>]) -> Option<f64> {
    let pairable: Vec<&Vec<f64>> = units.iter().filter(|unit| unit.len() > 1).collect();
    let values: Vec<f64> = pairable.iter().flat_map(|unit| unit.iter().copied()).collect();
    let count = values.len() as f64;
    let observed: f64 =
        pairable.iter().map(|unit| squared_differences(unit) / (unit.len() - 1) as f64).sum::<f64>() / count;
    let expected = squared_differences(&values) / (count * (count - 1.0));
    (values.len() > 1 && expected > 0.0).then(|| 1.0 - observed / expected)
}

/// Sum of the squared differences over all ordered pairs.
fn squared_differences(values: &[f64]) -> f64 {
    let (sum, squares) = values.iter().fold((0.0, 0.0), |(sum, squares), v| (sum + v, squares + v * v));
    (2.0 * (values.len() as f64 * squares - sum * sum)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_four_observers_gives_the_published_alpha() {
        // Krippendorff (2011), example C: four observers, twelve units; 0.849 with the interval metric.
        let nan = f64::NAN;
        let observers = [
            [1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 4.0, 1.0, 2.0, nan, nan, nan],
            [1.0, 2.0, 3.0, 3.0, 2.0, 2.0, 4.0, 1.0, 2.0, 5.0, nan, 3.0],
            [nan, 3.0, 3.0, 3.0, 2.0, 3.0, 4.0, 2.0, 2.0, 5.0, 1.0, nan],
            [1.0, 2.0, 3.0, 3.0, 2.0, 4.0, 4.0, 1.0, 2.0, 5.0, 1.0, nan],
        ];
        let units: Vec<Vec<f64>> = (0..12)
            .map(|unit| observers.iter().map(|of| of[unit]).filter(|value| !value.is_nan()).collect())
            .collect();
        let alpha = krippendorff_alpha(&units).expect("it is defined");
        assert!((alpha - 0.849).abs() < 5e-4, "{alpha}");
    }

    #[test]
    fn it_is_one_for_agreement_and_undefined_without_pairs_or_variety() {
        assert_eq!(krippendorff_alpha(&[vec![1.0, 1.0], vec![4.0, 4.0]]), Some(1.0));
        assert_eq!(krippendorff_alpha(&[vec![1.0], vec![4.0]]), None);
        assert_eq!(krippendorff_alpha(&[vec![2.0, 2.0], vec![2.0, 2.0]]), None);
        assert_eq!(krippendorff_alpha(&[]), None);
    }
}
