//! Where a run computes.
//!
//! Batches, weights and losses live on the run's device; the optimiser's state, checkpoints and data stay on the CPU.
//! CUDA and Metal have never been run. What is tested: every fused operation of the CPU gives what its twin of plain
//! operations does, which is the one that other devices run.

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use candle_core::utils::{cuda_is_available, metal_is_available};

/// The device of this name: `cpu`, `cuda`, `metal`, or one of several, as in `cuda:1`.
///
/// # Errors
/// When the name is none of these, this build does not know the device, or the machine has none.
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
    fn a_device_that_is_not_known_or_not_built_in_is_said_so() {
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
