//! A network's weights: kernels in 8 bits with a scale for each output channel, or whole.

use super::convolution::TAPS;
use safetensors::{Dtype, SafeTensors};

/// Audio channels.
pub const CHANNELS: usize = 2;
/// Halvings of frames and bins.
pub const LEVELS: usize = 6;
/// Output channels of the layers on the way down. On the way up they are the same in reverse, and 1 at the end.
const DOWN_CHANNELS: [usize; LEVELS] = [16, 32, 64, 128, 256, 512];
/// The largest code of a kernel that is stored whole.
const LARGEST_CODE: f32 = 4095.0;
/// Slope of the leaky rectifier.
const LEAK: f32 = 0.2;
/// Taps of the last convolution.
const MASK_TAPS: usize = 16;

/// Values of a kernel.
enum Values {
    /// To be multiplied by the scale of their output channel.
    Eight(Vec<i8>),
    Whole(Vec<f32>),
}

/// A kernel of a convolution, as stored.
pub struct Kernel {
    values: Values,
    /// One for each output channel.
    scales: Vec<f32>,
    outputs: usize,
    /// Number of consecutive values that belong to one output channel.
    run: usize,
}

impl Kernel {
    /// Number of output channels.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of values.
    pub fn size(&self) -> usize {
        match &self.values {
            Values::Eight(values) => values.len(),
            Values::Whole(values) => values.len(),
        }
    }

    /// The kernel as codes: as stored, or in 13 bits if it is stored whole.
    pub fn coded(&self) -> Coded {
        match &self.values {
            Values::Eight(values) => {
                let codes = values.iter().copied().map(i16::from).collect();
                Coded { codes, scales: self.scales.clone() }
            }
            Values::Whole(values) => {
                let mut peaks = vec![0.0f32; self.outputs];
                for (n, values) in values.chunks_exact(self.run).enumerate() {
                    let peak = &mut peaks[n % self.outputs];
                    *peak = values.iter().fold(*peak, |peak, value| peak.max(value.abs()));
                }
                let scales: Vec<f32> = peaks.iter().map(|peak| peak / LARGEST_CODE).collect();
                let rows = values.chunks_exact(self.run).zip(scales.iter().cycle());
                let code =
                    |value: &f32, scale: &f32| if *scale > 0.0 { (value / scale).round() as i16 } else { 0 };
                let codes =
                    rows.flat_map(|(values, scale)| values.iter().map(move |value| code(value, scale)));
                Coded { codes: codes.collect(), scales }
            }
        }
    }

    /// Writes the kernel's values into `dense`, whose content is replaced.
    pub fn dense_into(&self, dense: &mut Vec<f32>) {
        dense.clear();
        match &self.values {
            Values::Whole(values) => dense.extend_from_slice(values),
            Values::Eight(values) => {
                for (values, scale) in values.chunks_exact(self.run).zip(self.scales.iter().cycle()) {
                    dense.extend(values.iter().map(|value| f32::from(*value) * scale));
                }
            }
        }
    }
}

/// A kernel's values as codes, to be multiplied by the scale of their output channel.
pub struct Coded {
    /// The codes, in the order of the file.
    pub codes: Vec<i16>,
    /// One for each output channel.
    pub scales: Vec<f32>,
}

/// A layer: a kernel, and what follows the convolution.
pub struct Layer {
    /// The convolution.
    pub kernel: Kernel,
    /// What follows it.
    pub after: After,
}

/// Bias and normalisation of a layer, one value for each output channel.
#[derive(Clone)]
pub struct After {
    /// Added to the convolution's output.
    pub bias: Vec<f32>,
    /// Scale of the normalisation; empty where there is none.
    pub scale: Vec<f32>,
    /// Its offset.
    pub offset: Vec<f32>,
}

/// On the way down: a value with its bias, normalised and rectified, where a fifth of what is negative passes.
#[inline(always)]
pub fn leaky(value: f32, scale: f32, offset: f32) -> f32 {
    let value = value * scale + offset;
    if value > 0.0 { value } else { LEAK * value }
}

/// On the way up: a value with its bias, rectified and then normalised.
#[inline(always)]
pub fn rectified(value: f32, scale: f32, offset: f32) -> f32 {
    value.max(0.0) * scale + offset
}

/// All layers of a network.
pub struct NetworkWeights {
    /// Down, from the widest.
    pub down: Vec<Layer>,
    /// Up, from the narrowest.
    pub up: Vec<Layer>,
    /// The last convolution.
    pub mask: Layer,
}

/// The shape that a layer must have in the file.
struct Expected<'a> {
    name: &'a str,
    inputs: usize,
    outputs: usize,
    taps: usize,
    /// Whether the inputs come first, as in a transposed convolution.
    is_transposed: bool,
    has_norm: bool,
}

impl NetworkWeights {
    /// Reads the bytes of a safetensors file, as `trainer/frontends/convert_spleeter.py` writes it.
    ///
    /// # Errors
    /// A sentence that names the tensor, when the file is damaged or a tensor is missing, of another shape or type.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| format!("it is not a safetensors file: {error}"))?;
        let mut inputs = CHANNELS;
        let mut down = Vec::new();
        for (n, outputs) in DOWN_CHANNELS.into_iter().enumerate() {
            let name = format!("down{}", n + 1);
            let expected =
                Expected { name: &name, inputs, outputs, taps: TAPS, is_transposed: false, has_norm: true };
            down.push(layer(&file, &expected)?);
            inputs = outputs;
        }
        let mut up = Vec::new();
        for n in 0..LEVELS {
            let name = format!("up{}", n + 1);
            // Each level's output is joined with a skip of the same number of channels.
            let outputs = if n + 1 == LEVELS { 1 } else { DOWN_CHANNELS[LEVELS - 2 - n] };
            let expected =
                Expected { name: &name, inputs, outputs, taps: TAPS, is_transposed: true, has_norm: true };
            up.push(layer(&file, &expected)?);
            inputs = 2 * outputs;
        }
        let expected = Expected {
            name: "mask",
            inputs: 1,
            outputs: CHANNELS,
            taps: MASK_TAPS,
            is_transposed: false,
            has_norm: false,
        };
        Ok(NetworkWeights { down, up, mask: layer(&file, &expected)? })
    }
}

fn layer(file: &SafeTensors<'_>, expected: &Expected<'_>) -> Result<Layer, String> {
    let Expected { name, inputs, outputs, taps, is_transposed, has_norm } = *expected;
    let floats = |part: &str| floats(file, &format!("{name}.{part}"), outputs);
    let kernel_name = format!("{name}.weight");
    let view = tensor(file, &kernel_name)?;
    let leading = if is_transposed { [inputs, outputs] } else { [outputs, inputs] };
    let size = inputs * outputs * taps;
    let found = view.shape();
    if found.len() != 4 || found[..2] != leading || found.iter().product::<usize>() != size {
        return Err(format!("'{kernel_name}' has shape {found:?}, expected {leading:?} and {taps} taps"));
    }
    let run = if is_transposed { taps } else { inputs * taps };
    let kernel = match view.dtype() {
        Dtype::I8 => Kernel {
            values: Values::Eight(view.data().iter().map(|byte| byte.cast_signed()).collect()),
            scales: floats("weight_scale")?,
            outputs,
            run,
        },
        Dtype::F32 => Kernel {
            values: Values::Whole(floats_of(view.data(), &kernel_name)?),
            scales: Vec::new(),
            outputs,
            run,
        },
        other => return Err(format!("'{kernel_name}' is stored as {other:?}; I8 or F32 can be read")),
    };
    let norm = |part: &str| if has_norm { floats(part) } else { Ok(Vec::new()) };
    let after = After { bias: floats("bias")?, scale: norm("norm_scale")?, offset: norm("norm_offset")? };
    Ok(Layer { kernel, after })
}

fn tensor<'a>(file: &SafeTensors<'a>, name: &str) -> Result<safetensors::tensor::TensorView<'a>, String> {
    file.tensor(name).map_err(|_| format!("'{name}' is missing"))
}

fn floats(file: &SafeTensors<'_>, name: &str, count: usize) -> Result<Vec<f32>, String> {
    let view = tensor(file, name)?;
    if view.dtype() != Dtype::F32 || view.shape() != [count] {
        return Err(format!(
            "'{name}' is {:?} of shape {:?}, expected F32 of [{count}]",
            view.dtype(),
            view.shape()
        ));
    }
    floats_of(view.data(), name)
}

fn floats_of(bytes: &[u8], name: &str) -> Result<Vec<f32>, String> {
    let values: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(format!("'{name}' holds a value that is not a number"));
    }
    Ok(values)
}
