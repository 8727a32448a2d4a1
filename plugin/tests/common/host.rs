//! A minimal host: blocks, a transport, and calls of the plugin's `process`.
#![allow(dead_code)]

use mixing_buddy::MixingBuddy;
use nice_plug::context::process::SendEventError;
use nice_plug::prelude::*;

/// What the plugin gets with a block.
pub struct Context {
    pub transport: Transport,
}

impl Context {
    pub fn playing_at(sample_rate_hz: f32, position: i64) -> Self {
        let mut transport = Transport::new(sample_rate_hz);
        transport.playing = true;
        transport.tempo = Some(120.0);
        transport.pos_samples = Some(position);
        Context { transport }
    }
}

impl ProcessContext<MixingBuddy> for Context {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }
    fn execute_background(&self, _task: ()) {}
    fn execute_gui(&self, _task: ()) {}
    fn transport(&self) -> &Transport {
        &self.transport
    }
    fn next_event(&mut self) -> Option<PluginNoteEvent<MixingBuddy>> {
        None
    }
    fn try_send_event(
        &mut self,
        event: PluginNoteEvent<MixingBuddy>,
    ) -> Result<(), (PluginNoteEvent<MixingBuddy>, SendEventError)> {
        Err((event, SendEventError::NoOutputBuffer))
    }
    fn set_latency_samples(&self, _samples: u32) {}
    fn request_restart(&self) {}
    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

/// Runs the plugin's `process` over one or two channels in place.
pub fn process(plugin: &mut MixingBuddy, context: &mut Context, channels: &mut [Vec<f32>]) {
    let frames = channels.first().map_or(0, Vec::len);
    let mut buffer = Buffer::default();
    // SAFETY: all slices have `frames` samples and outlive the buffer.
    unsafe {
        buffer.set_slices(frames, |slices| {
            slices.extend(channels.iter_mut().map(|channel| channel.as_mut_slice()));
        });
    }
    run(plugin, context, &mut buffer);
}

/// Runs the plugin's `process` over an existing buffer. During an audition the plugin asks not to be put to sleep.
pub fn run(plugin: &mut MixingBuddy, context: &mut Context, buffer: &mut Buffer<'_>) {
    let mut aux = AuxiliaryBuffers { inputs: &mut [], outputs: &mut [] };
    let status = plugin.process(buffer, &mut aux, context);
    let is_sounding = plugin.audition().is_sounding();
    assert_eq!(status, if is_sounding { ProcessStatus::KeepAlive } else { ProcessStatus::Normal });
}
