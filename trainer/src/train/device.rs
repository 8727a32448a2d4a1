//! Where a run computes.
//!
//! Batches, weights and losses live on the device of the run; the state of the optimizer, checkpoints and data stay on the
//! CPU. CUDA has run on an H100 (RUNS, 26), Metal has never run. Tests check that every fused operation of the CPU gives the same result as
//! the plain operations that run on other devices.

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use candle_core::utils::{cuda_is_available, metal_is_available};

/// The device of this name: `cpu`, `cuda`, `metal`, or one of several GPUs, as in `cuda:1`.
///
/// # Errors
/// When the name is unknown, this build does not support the device, or the machine has none.
pub fn open_device(name: &str) -> Result<Device> {
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => (kind, number.parse().ok()),
        None => (name, Some(0)),
    };
    let Some(number) = number else {
        bail!(
            "the device '{name}' is not known; the number after the colon counts devices from 0, as in cuda:1"
        );
    };
    let open = match kind {
        "cpu" => {
            ensure!(name == "cpu", "the device '{name}' is not known; there is one CPU: cpu");
            return Ok(Device::Cpu);
        }
        "cuda" => {
            ensure!(cuda_is_available(), "{}", missing("CUDA", kind));
            Device::new_cuda
        }
        "metal" => {
            ensure!(metal_is_available(), "{}", missing("Metal", kind));
            Device::new_metal
        }
        _ => bail!("the device '{name}' is not known; the devices are cpu, cuda and metal"),
    };
    open(number).with_context(|| format!("the device '{name}' cannot be used"))
}

fn missing(name: &str, feature: &str) -> String {
    format!("this build cannot compute on {name}; build the trainer with `--features {feature}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_devices_and_devices_that_are_not_built_in_are_refused_by_name() {
        assert!(open_device("cpu").unwrap().is_cpu());
        let fails = |name: &str| open_device(name).unwrap_err().to_string();
        assert!(fails("gpu").contains("the devices are cpu, cuda and metal"));
        assert!(fails("cpu:1").contains("there is one CPU"));
        assert!(fails("cuda:one").contains("counts devices from 0"));
        if !cuda_is_available() {
            assert!(fails("cuda:1").contains("build the trainer with `--features cuda`"));
        }
        if !metal_is_available() {
            assert!(fails("metal").contains("build the trainer with `--features metal`"));
        }
    }
}
