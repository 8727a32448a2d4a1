//! The CLAP's entry point: the framework's, with our own `process` around its.
//!
//! The framework copies input to output channel by channel. It leaves old memory in the output if the host gives no
//! input, mixes up channels if the host swaps them in place, and panics if the host gives more channels than the layout
//! has. So [`process`] fills the main output before the framework sees it, and gives it that output as its input.
//!
//! Each instance is a copy of the framework's `clap_plugin` with fields of ours behind it. The framework's functions
//! read only `plugin_data` of it.

use crate::MixingBuddy;
use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::ext::audio_ports::{CLAP_EXT_AUDIO_PORTS, clap_audio_port_info, clap_plugin_audio_ports};
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process, clap_process_status};
use nice_plug::wrapper::clap::{
    CLAP_PLUGIN_FACTORY_ID, CLAP_VERSION, PluginDescriptor, Wrapper, clap_host, clap_plugin,
    clap_plugin_descriptor, clap_plugin_entry, clap_plugin_factory,
};
use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// The entry point, by the name that CLAP prescribes.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals)]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(get_factory),
};

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(plugin_count),
    get_plugin_descriptor: Some(plugin_descriptor),
    create_plugin: Some(create_plugin),
};

/// What the host holds.
#[repr(C)]
struct Instance {
    /// First, so that a pointer to it is a pointer to the instance.
    plugin: clap_plugin,
    /// The framework's functions.
    framework: clap_plugin,
    /// Channels of the main output in the active layout.
    channels: AtomicU32,
}

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<MixingBuddy>)
}

unsafe extern "C" fn init(_path: *const c_char) -> bool {
    nice_plug::wrapper::setup_logger::<MixingBuddy>();
    true
}

unsafe extern "C" fn deinit() {}

unsafe extern "C" fn get_factory(id: *const c_char) -> *const c_void {
    // SAFETY: the host gives a C string or null.
    if !id.is_null() && unsafe { CStr::from_ptr(id) } == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else {
        std::ptr::null()
    }
}

unsafe extern "C" fn plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    if index == 0 { descriptor().clap_plugin_descriptor() } else { std::ptr::null() }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    // SAFETY: the host gives a C string or null.
    if id.is_null() || unsafe { CStr::from_ptr(id) } != descriptor().clap_id() {
        return std::ptr::null();
    }
    // SAFETY: as the framework's own entry does it: `destroy` takes back the reference that is leaked here.
    let framework = unsafe { *(*Arc::into_raw(Wrapper::<MixingBuddy>::new(host))).clap_plugin.as_ptr() };
    let plugin =
        clap_plugin { activate: Some(activate), destroy: Some(destroy), process: Some(process), ..framework };
    let instance = Box::new(Instance { plugin, framework, channels: AtomicU32::new(0) });
    Box::into_raw(instance).cast()
}

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    if plugin.is_null() {
        return;
    }
    // SAFETY: the host gives what `create_plugin` returned, once.
    let instance = unsafe { Box::from_raw(plugin.cast_mut().cast::<Instance>()) };
    if let Some(destroy) = instance.framework.destroy {
        // SAFETY: the framework reads `plugin_data`, which is its own.
        unsafe { destroy(&raw const instance.framework) };
    }
}

unsafe extern "C" fn activate(plugin: *const clap_plugin, rate_hz: f64, least: u32, most: u32) -> bool {
    // SAFETY: the host gives what `create_plugin` returned.
    let Some(instance) = (unsafe { plugin.cast::<Instance>().as_ref() }) else { return false };
    // SAFETY: main thread, on the framework's own data.
    unsafe {
        instance.channels.store(channels(plugin, &instance.framework), Ordering::Release);
        instance.framework.activate.is_some_and(|activate| activate(plugin, rate_hz, least, most))
    }
}

/// Channels of the main output in the layout that the host has selected.
///
/// # Safety
/// Main thread, with a plugin of the framework.
unsafe fn channels(plugin: *const clap_plugin, framework: &clap_plugin) -> u32 {
    let mut info = MaybeUninit::<clap_audio_port_info>::uninit();
    // SAFETY: the extension lives as long as the plugin and fills `info` if it returns true.
    unsafe {
        let ports = framework.get_extension.map(|get| get(plugin, CLAP_EXT_AUDIO_PORTS.as_ptr()));
        let ports = ports.and_then(|ports| ports.cast::<clap_plugin_audio_ports>().as_ref());
        match ports.and_then(|ports| ports.get) {
            Some(get) if get(plugin, 0, false, info.as_mut_ptr()) => info.assume_init().channel_count,
            _ => 0,
        }
    }
}

/// Fills the main output, then calls the framework's `process` in place. Audio thread.
unsafe extern "C" fn process(plugin: *const clap_plugin, call: *const clap_process) -> clap_process_status {
    // SAFETY: the host gives what `create_plugin` returned, and a valid call or null.
    let (instance, call) = unsafe { (plugin.cast::<Instance>().as_ref(), call.as_ref()) };
    let Some((instance, call)) = instance.zip(call) else { return CLAP_PROCESS_ERROR };
    let Some(framework) = instance.framework.process else { return CLAP_PROCESS_ERROR };
    let mut call = *call;
    // SAFETY: the host's buffers hold `frames_count` samples per channel.
    let bus = unsafe {
        let input = call.audio_inputs.as_ref().filter(|_| call.audio_inputs_count > 0);
        let output = call.audio_outputs.as_mut().filter(|_| call.audio_outputs_count > 0);
        output.and_then(|output| fill(input, output, call.frames_count as usize))
    };
    let mut bus = bus.map(|bus| clap_audio_buffer {
        channel_count: bus.channel_count.min(instance.channels.load(Ordering::Acquire)),
        ..bus
    });
    // Without an output that can be written, the framework handles events only.
    let buffer = bus.as_mut().map_or(std::ptr::null_mut(), |bus| bus as *mut clap_audio_buffer);
    let count = u32::from(!buffer.is_null());
    (call.audio_inputs, call.audio_inputs_count) = (buffer, count);
    (call.audio_outputs, call.audio_outputs_count) = (buffer, count);
    // SAFETY: as the host would call it.
    unsafe { framework(plugin, &raw const call) }
}

/// Copies the input to the output, whichever of their channels are the same memory. Output without input is silent. None
/// if the output cannot be written.
///
/// # Safety
/// All channels hold `frames` samples. Two channels are the same memory or do not overlap.
unsafe fn fill(
    input: Option<&clap_audio_buffer>,
    output: &mut clap_audio_buffer,
    frames: usize,
) -> Option<clap_audio_buffer> {
    // SAFETY: a bus has `channel_count` channels.
    let channel = |bus: &clap_audio_buffer, index: usize| unsafe {
        if bus.data32.is_null() || index >= bus.channel_count as usize {
            std::ptr::null_mut::<f32>()
        } else {
            (*bus.data32.add(index)).cast()
        }
    };
    let count = output.channel_count as usize;
    if count == 0 || (0..count).any(|index| channel(output, index).is_null()) {
        return None;
    }
    let from = |index: usize| input.map_or(std::ptr::null_mut(), |input| channel(input, index));
    let copy = |index: usize| {
        let (from, to) = (from(index), channel(output, index));
        // SAFETY: both hold `frames` samples; `copy` allows the same memory.
        unsafe { if from.is_null() { to.write_bytes(0, frames) } else { std::ptr::copy(from, to, frames) } }
    };
    if count >= 2 && channel(output, 0) == from(1) {
        if channel(output, 1) == from(0) && from(0) != from(1) {
            // SAFETY: two different channels, which do not overlap.
            unsafe { std::ptr::swap_nonoverlapping(from(0), from(1), frames) };
        } else {
            // The first output lies where the second input is.
            copy(1);
            copy(0);
        }
        (2..count).for_each(copy);
    } else {
        (0..count).for_each(copy);
    }
    // What a host or another plugin left there would be taken for a hint that a channel is constant.
    output.constant_mask = 0;
    Some(*output)
}

#[cfg(test)]
mod tests;
