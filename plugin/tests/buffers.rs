//! The output is defined whatever buffers the host gives, in CLAP and in VST3: no old memory, no wrong channel.
//!
//! Two small hosts call the entry points of both formats directly, since real hosts do not give every combination.
#![allow(clippy::unwrap_used)]

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::ext::audio_ports_config::{CLAP_EXT_AUDIO_PORTS_CONFIG, clap_plugin_audio_ports_config};
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::host::clap_host;
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process};
use clap_sys::version::CLAP_VERSION;
use mixing_buddy::MixingBuddy;
use nice_plug::prelude::Vst3Plugin;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, IAudioProcessor, IAudioProcessorTrait, IComponent,
    IComponentTrait, ProcessData, ProcessModes_, ProcessSetup, SymbolicSampleSizes_,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IPluginBaseTrait, IPluginFactory, IPluginFactoryTrait, kResultOk,
};
use nice_plug::wrapper::vst3::vst3::{ComPtr, Interface};
use std::ffi::{c_char, c_void};

const FRAMES: usize = 64;

/// The main buses of one call: pointers to channels. An empty input is no input bus.
struct Buses {
    inputs: Vec<*mut f32>,
    outputs: Vec<*mut f32>,
}

/// A format's host: plays one block through a new instance with a layout of so many channels.
type Play = fn(u32, &mut Buses);

unsafe extern "C" fn no_extension(_: *const clap_host, _: *const c_char) -> *const c_void {
    std::ptr::null()
}
unsafe extern "C" fn nothing(_: *const clap_host) {}

fn play_clap(layout: u32, buses: &mut Buses) {
    let host = clap_host {
        clap_version: CLAP_VERSION,
        host_data: std::ptr::null_mut(),
        name: c"test".as_ptr(),
        vendor: c"".as_ptr(),
        url: c"".as_ptr(),
        version: c"1".as_ptr(),
        get_extension: Some(no_extension),
        request_restart: Some(nothing),
        request_process: Some(nothing),
        request_callback: Some(nothing),
    };
    let bus = |pointers: &mut Vec<*mut f32>| clap_audio_buffer {
        data32: pointers.as_mut_ptr().cast(),
        data64: std::ptr::null_mut(),
        channel_count: pointers.len() as u32,
        latency: 0,
        constant_mask: u64::MAX,
    };
    let (input, mut output) = (bus(&mut buses.inputs), bus(&mut buses.outputs));
    let has_input = !buses.inputs.is_empty();
    let call = clap_process {
        steady_time: -1,
        frames_count: FRAMES as u32,
        transport: std::ptr::null(),
        audio_inputs: if has_input { &raw const input } else { std::ptr::null() },
        audio_outputs: &raw mut output,
        audio_inputs_count: u32::from(has_input),
        audio_outputs_count: 1,
        in_events: std::ptr::null(),
        out_events: std::ptr::null(),
    };
    // SAFETY: the calls of a host, in their order.
    unsafe {
        let factory = mixing_buddy::clap_entry.get_factory.unwrap()(CLAP_PLUGIN_FACTORY_ID.as_ptr());
        let factory = &*factory.cast::<clap_plugin_factory>();
        let id = (*factory.get_plugin_descriptor.unwrap()(factory, 0)).id;
        let plugin = factory.create_plugin.unwrap()(factory, &raw const host, id);
        let own = &*plugin;
        assert!(own.init.unwrap()(plugin));
        if layout == 1 {
            let layouts = own.get_extension.unwrap()(plugin, CLAP_EXT_AUDIO_PORTS_CONFIG.as_ptr());
            let layouts = &*layouts.cast::<clap_plugin_audio_ports_config>();
            assert!(layouts.select.unwrap()(plugin, 1));
        }
        assert!(own.activate.unwrap()(plugin, 48_000.0, 1, FRAMES as u32));
        assert!(own.start_processing.unwrap()(plugin));
        assert_ne!(own.process.unwrap()(plugin, &raw const call), CLAP_PROCESS_ERROR);
        own.stop_processing.unwrap()(plugin);
        own.deactivate.unwrap()(plugin);
        own.destroy.unwrap()(plugin);
    }
    assert_eq!(output.constant_mask, 0, "what the host left in the output's mask");
}

fn play_vst3(layout: u32, buses: &mut Buses) {
    let bus = |pointers: &mut Vec<*mut f32>| AudioBusBuffers {
        numChannels: pointers.len() as i32,
        silenceFlags: u64::MAX,
        __field0: AudioBusBuffers__type0 { channelBuffers32: pointers.as_mut_ptr() },
    };
    let (mut input, mut output) = (bus(&mut buses.inputs), bus(&mut buses.outputs));
    let has_input = !buses.inputs.is_empty();
    let (mode, size) = (ProcessModes_::kRealtime as i32, SymbolicSampleSizes_::kSample32 as i32);
    let mut setup = ProcessSetup {
        processMode: mode,
        symbolicSampleSize: size,
        maxSamplesPerBlock: FRAMES as i32,
        sampleRate: 48_000.0,
    };
    let mut call = ProcessData {
        processMode: mode,
        symbolicSampleSize: size,
        numSamples: FRAMES as i32,
        numInputs: i32::from(has_input),
        numOutputs: 1,
        inputs: if has_input { &raw mut input } else { std::ptr::null_mut() },
        outputs: &raw mut output,
        inputParameterChanges: std::ptr::null_mut(),
        outputParameterChanges: std::ptr::null_mut(),
        inputEvents: std::ptr::null_mut(),
        outputEvents: std::ptr::null_mut(),
        processContext: std::ptr::null_mut(),
    };
    // SAFETY: the calls of a host, in their order.
    unsafe {
        let factory = mixing_buddy::GetPluginFactory();
        let factory = ComPtr::<IPluginFactory>::from_raw(factory.cast()).unwrap();
        let mut object = std::ptr::null_mut();
        let class = MixingBuddy::PLATFORM_VST3_CLASS_ID;
        let made =
            factory.createInstance(class.as_ptr().cast(), IComponent::IID.as_ptr().cast(), &mut object);
        assert_eq!(made, kResultOk);
        let component = ComPtr::<IComponent>::from_raw(object.cast()).unwrap();
        let processor = component.cast::<IAudioProcessor>().unwrap();
        assert_eq!(component.initialize(std::ptr::null_mut()), kResultOk);
        // One bit per channel.
        let mut speakers = [(1 << layout) - 1; 2];
        let [inputs, outputs] = &mut speakers;
        assert_eq!(processor.setBusArrangements(inputs, 1, outputs, 1), kResultOk);
        assert_eq!(processor.setupProcessing(&mut setup), kResultOk);
        assert_eq!(component.setActive(1), kResultOk);
        processor.setProcessing(1);
        assert_eq!(processor.process(&mut call), kResultOk);
        processor.setProcessing(0);
        component.setActive(0);
        component.terminate();
    }
    assert_eq!(output.silenceFlags, 0, "what the host left in the output's flags");
}

#[test]
fn no_old_memory_and_no_wrong_channel_comes_out() {
    // Layout, inputs, outputs, and what is in the outputs afterwards: the number of a channel, or 0 for silence.
    // Channel n of the memory is filled with n + 1.
    type Case = (u32, &'static [usize], &'static [usize], &'static [f32]);
    let cases: [Case; 15] = [
        (2, &[0, 1], &[2, 3], &[1.0, 2.0]),
        (2, &[0, 1], &[0, 1], &[1.0, 2.0]),
        (2, &[0, 1], &[1, 0], &[1.0, 2.0]),
        (2, &[0, 1], &[1, 2], &[1.0, 2.0]),
        (2, &[0, 1], &[2, 0], &[1.0, 2.0]),
        (2, &[0, 0], &[2, 3], &[1.0, 1.0]),
        (2, &[0, 0], &[0, 3], &[1.0, 1.0]),
        (2, &[], &[2, 3], &[0.0, 0.0]),
        (2, &[0], &[2, 3], &[1.0, 0.0]),
        (2, &[0, 1], &[2, 3, 4, 5], &[1.0, 2.0, 0.0, 0.0]),
        (2, &[0, 1], &[2, 3, 1, 0], &[1.0, 2.0, 0.0, 0.0]),
        (2, &[0, 1, 2, 3], &[4, 5], &[1.0, 2.0]),
        (2, &[0, 1], &[2], &[1.0]),
        (1, &[0, 1], &[2, 3], &[1.0, 2.0]),
        (1, &[], &[2], &[0.0]),
    ];
    for (format, play) in [("CLAP", play_clap as Play), ("VST3", play_vst3)] {
        for (layout, inputs, outputs, expected) in cases {
            let mut memory: Vec<Vec<f32>> = (1..=6).map(|n| vec![n as f32; FRAMES]).collect();
            let channels: Vec<*mut f32> = memory.iter_mut().map(|channel| channel.as_mut_ptr()).collect();
            let pointers = |indices: &[usize]| indices.iter().map(|index| channels[*index]).collect();
            play(layout, &mut Buses { inputs: pointers(inputs), outputs: pointers(outputs) });
            for (output, expected) in outputs.iter().zip(expected) {
                let what = format!("{format}, layout of {layout}, {inputs:?} to {outputs:?}");
                assert_eq!(memory[*output], vec![*expected; FRAMES], "{what}");
            }
        }
    }
}

#[test]
fn channels_that_point_nowhere_are_silence_or_left_out() {
    for play in [play_clap as Play, play_vst3] {
        let mut memory: Vec<Vec<f32>> = (1..=4).map(|n| vec![n as f32; FRAMES]).collect();
        let channels: Vec<*mut f32> = memory.iter_mut().map(|channel| channel.as_mut_ptr()).collect();
        let inputs = vec![channels[0], std::ptr::null_mut()];
        play(2, &mut Buses { inputs, outputs: vec![channels[2], channels[3]] });
        assert_eq!((memory[2][0], memory[3][0]), (1.0, 0.0));
        play(
            2,
            &mut Buses { inputs: channels[..2].to_vec(), outputs: vec![channels[2], std::ptr::null_mut()] },
        );
        assert_eq!(memory[2], vec![1.0; FRAMES]);
    }
}
