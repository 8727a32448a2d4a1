//! The standalone: the plugin as a program of its own, on ALSA, JACK, CoreAudio or WASAPI.
//!
//! `cargo run --release -p mixing-buddy --features standalone -- --help` lists audio backends and devices. On Linux
//! it needs the headers of ALSA and JACK (Debian: libasound2-dev, libjack-jackd2-dev). Set `MIXING_BUDDY_LOG=stderr` to
//! see why a backend does not start.

fn main() -> std::process::ExitCode {
    if nice_plug::wrapper::standalone::nice_export_standalone::<mixing_buddy::MixingBuddy>() {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
