//! K-weighting of ITU-R BS.1770-5, annex 1, as a power factor over frequency.

/// Factor by which K-weighting scales power at `hz`.
///
/// The product of the two filters' responses (the head's high shelf, then the RLB high pass), with the coefficients
/// that the recommendation gives for 48 kHz.
pub fn k_weight_power(hz: f32) -> f32 {
    let shelf = Biquad {
        b: [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85],
        a: [1.0, -1.690_659_293_182_41, 0.732_480_774_215_85],
    };
    let high_pass = Biquad { b: [1.0, -2.0, 1.0], a: [1.0, -1.990_047_454_833_98, 0.990_072_250_366_21] };
    // The response is flat above 20 kHz, so the clamp only avoids the Nyquist frequency.
    let radians = std::f64::consts::TAU * f64::from(hz.min(20_000.0)) / 48_000.0;
    (shelf.power(radians) * high_pass.power(radians)) as f32
}

struct Biquad {
    b: [f64; 3],
    a: [f64; 3],
}

impl Biquad {
    fn power(&self, radians: f64) -> f64 {
        let at = |c: &[f64; 3]| {
            let re = c[0] + c[1] * radians.cos() + c[2] * (2.0 * radians).cos();
            let im = c[1] * radians.sin() + c[2] * (2.0 * radians).sin();
            re * re + im * im
        };
        at(&self.b) / at(&self.a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebur128::{EbuR128, Mode};

    /// Against the ebur128 crate: the loudness of a sine less that of its plain RMS level is the weight at its frequency.
    #[test]
    fn agrees_with_ebur128_within_a_tenth_of_a_db() {
        for hz in [40.0f32, 100.0, 500.0, 997.0, 3000.0, 10_000.0] {
            let samples: Vec<f32> = (0..480_000)
                .map(|n| 0.1 * (std::f32::consts::TAU * hz * n as f32 / 48_000.0).sin())
                .collect();
            let mut meter = EbuR128::new(1, 48_000, Mode::I).unwrap();
            meter.add_frames_f32(&samples).unwrap();
            let measured_db = meter.loudness_global().unwrap() + 0.691;
            let plain_db = 20.0 * f64::from(0.1f32 / 2f32.sqrt()).log10();
            let expected_db = plain_db + 10.0 * f64::from(k_weight_power(hz)).log10();
            assert!((measured_db - expected_db).abs() < 0.1, "{hz} Hz: {measured_db} and {expected_db}");
        }
    }
}
