//! Every fused operation against its form of plain operations: values and gradients.

use super::*;
use candle_core::{Device, Var};

fn random(shape: &[usize], seed: u64) -> Var {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

fn worst(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

/// Values and gradients of two forms of one function of `inputs` agree within 2e-5.
fn same(inputs: &[Var], fused: impl Fn(&[Var]) -> Result<Tensor>, plain: impl Fn(&[Var]) -> Result<Tensor>) {
    let (a, b) = (fused(inputs).unwrap(), plain(inputs).unwrap());
    assert!(worst(&a, &b) < 2e-5, "values differ by {}", worst(&a, &b));
    // A weighted sum, so that the incoming gradient differs from place to place.
    let weights = random(a.dims(), 99);
    let grads = |y: &Tensor| (y * weights.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
    let (ga, gb) = (grads(&a), grads(&b));
    for input in inputs {
        let (ga, gb) = (ga.get(input).unwrap(), gb.get(input).unwrap());
        assert!(worst(ga, gb) < 2e-5, "gradients differ by {}", worst(ga, gb));
        assert!(ga.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() > 1e-3, "gradient is zero");
    }
}

#[test]
fn softmax_matches() {
    same(&[random(&[3, 5, 7], 1)], |x| softmax(&x[0]), |x| softmax_plain(&x[0]));
}

#[test]
fn softmax_of_a_masked_row_is_finite() {
    let row = Tensor::new(&[[0.0f32, f32::NEG_INFINITY, -1e30]], &Device::Cpu).unwrap();
    assert_eq!(softmax(&row).unwrap().to_vec2::<f32>().unwrap()[0][0], 1.0);
}

#[test]
fn rms_norm_matches() {
    let inputs = [random(&[4, 6, 32], 2), random(&[32], 3)];
    same(&inputs, |x| rms_norm(&x[0], &x[1], 1e-6), |x| rms_norm_plain(&x[0], &x[1], 1e-6));
}

#[test]
fn swiglu_matches() {
    let inputs = [random(&[4, 33], 4), random(&[4, 33], 5)];
    same(&inputs, |x| swiglu(&x[0], &x[1]), |x| swiglu_plain(&x[0], &x[1]));
}

#[test]
fn rope_matches() {
    let angles = random(&[5, 4], 6);
    let (cos, sin) = (angles.cos().unwrap().detach(), angles.sin().unwrap().detach());
    same(&[random(&[2, 3, 5, 8], 7)], |x| rope(&x[0], &cos, &sin), |x| rope_plain(&x[0], &cos, &sin));
}

#[test]
fn fast_exp_is_exact_to_float_precision() {
    for step in -800..800 {
        let x = step as f32 * 0.1;
        let relative = (f64::from(fast_exp(x)) / f64::from(x).exp() - 1.0).abs();
        assert!(relative < 1e-6 * (1.0 + f64::from(x).abs() / 8.0), "exp({x}) is off by {relative}");
    }
}
