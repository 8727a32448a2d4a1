//! The output is defined whatever buffers the host gives.

use super::*;

const FRAMES: usize = 64;

unsafe extern "C" fn no_extension(_: *const clap_host, _: *const c_char) -> *const c_void {
    std::ptr::null()
}
unsafe extern "C" fn nothing(_: *const clap_host) {}

/// Calls `process` of an active instance on buses given as indices of channels in `memory`; no input bus for none.
fn run(layout: u32, memory: &mut [Vec<f32>], inputs: Option<&[usize]>, outputs: &[usize]) {
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
    let channels: Vec<*mut f32> = memory.iter_mut().map(|channel| channel.as_mut_ptr()).collect();
    let pointers = |indices: &[usize]| indices.iter().map(|index| channels[*index]).collect::<Vec<_>>();
    let (mut ins, mut outs) = (inputs.map(pointers), pointers(outputs));
    let bus = |pointers: &mut Vec<*mut f32>| clap_audio_buffer {
        data32: pointers.as_mut_ptr().cast(),
        data64: std::ptr::null_mut(),
        channel_count: pointers.len() as u32,
        latency: 0,
        constant_mask: u64::MAX,
    };
    let (ins, mut outs) = (ins.as_mut().map(bus), bus(&mut outs));
    let call = clap_process {
        steady_time: -1,
        frames_count: FRAMES as u32,
        transport: std::ptr::null(),
        audio_inputs: ins.as_ref().map_or(std::ptr::null(), |bus| bus as *const _),
        audio_outputs: &raw mut outs,
        audio_inputs_count: u32::from(ins.is_some()),
        audio_outputs_count: 1,
        in_events: std::ptr::null(),
        out_events: std::ptr::null(),
    };
    // SAFETY: the calls of a host, in their order.
    unsafe {
        let plugin = create_plugin(std::ptr::null(), &raw const host, descriptor().clap_id().as_ptr());
        let own = &*plugin;
        assert!(own.init.unwrap()(plugin));
        if layout == 1 {
            let id = clap_sys::ext::audio_ports_config::CLAP_EXT_AUDIO_PORTS_CONFIG;
            let layouts = own.get_extension.unwrap()(plugin, id.as_ptr());
            let layouts =
                &*layouts.cast::<clap_sys::ext::audio_ports_config::clap_plugin_audio_ports_config>();
            assert!(layouts.select.unwrap()(plugin, 1));
        }
        assert!(own.activate.unwrap()(plugin, 48_000.0, 1, FRAMES as u32));
        assert!(own.start_processing.unwrap()(plugin));
        assert_ne!(own.process.unwrap()(plugin, &raw const call), CLAP_PROCESS_ERROR);
        own.stop_processing.unwrap()(plugin);
        own.deactivate.unwrap()(plugin);
        own.destroy.unwrap()(plugin);
    }
    assert_eq!(outs.constant_mask, 0);
}

#[test]
fn no_old_memory_and_no_wrong_channel_comes_out() {
    // Layout, inputs, outputs, and what is in the outputs afterwards: the number of a channel, or 0 for silence.
    // Channel n of the memory is filled with n + 1.
    type Case = (u32, Option<&'static [usize]>, &'static [usize], &'static [f32]);
    let cases: [Case; 13] = [
        (2, Some(&[0, 1]), &[2, 3], &[1.0, 2.0]),
        (2, Some(&[0, 1]), &[0, 1], &[1.0, 2.0]),
        (2, Some(&[0, 1]), &[1, 0], &[1.0, 2.0]),
        (2, Some(&[0, 1]), &[1, 2], &[1.0, 2.0]),
        (2, Some(&[0, 1]), &[2, 0], &[1.0, 2.0]),
        (2, Some(&[0, 0]), &[2, 3], &[1.0, 1.0]),
        (2, Some(&[0, 0]), &[0, 3], &[1.0, 1.0]),
        (2, None, &[2, 3], &[0.0, 0.0]),
        (2, Some(&[0]), &[2, 3], &[1.0, 0.0]),
        (2, Some(&[0, 1]), &[2, 3, 4, 5], &[1.0, 2.0, 0.0, 0.0]),
        (2, Some(&[0, 1]), &[2], &[1.0]),
        (1, Some(&[0, 1]), &[2, 3], &[1.0, 2.0]),
        (1, None, &[2], &[0.0]),
    ];
    for (layout, inputs, outputs, expected) in cases {
        let mut memory: Vec<Vec<f32>> = (1..=6).map(|n| vec![n as f32; FRAMES]).collect();
        run(layout, &mut memory, inputs, outputs);
        for (output, expected) in outputs.iter().zip(expected) {
            let what = format!("layout of {layout}, {inputs:?} to {outputs:?}");
            assert_eq!(memory[*output], vec![*expected; FRAMES], "{what}");
        }
    }
}
