//! A separator as an ONNX file, with a network that is made here. Needs ONNX Runtime's library, and a build with it:
//! `cargo xtask test --full onnx`.
#![cfg(feature = "onnx")]

use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::stem::Stem;
use mixing_buddy_trainer::evaluation::{OnnxSeparator, SeparatorMeter};
use std::path::{Path, PathBuf};

/// Where ONNX Runtime is.
fn runtime() -> PathBuf {
    std::env::var_os("MIXING_BUDDY_ONNXRUNTIME")
        .expect("MIXING_BUDDY_ONNXRUNTIME names ONNX Runtime's library")
        .into()
}

/// The parts of Protocol Buffers that an ONNX file needs.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u64, inner: Message) -> Self {
        self.bytes(field, &inner.0)
    }
}

/// A named tensor of 32-bit floats; a dimension is a number, or none for any.
fn named_shape(name: &str, shape: &[Option<u64>]) -> Message {
    let shape = shape.iter().fold(Message::default(), |shape, size| {
        let dimension = match size {
            Some(size) => Message::default().number(1, *size),
            None => Message::default().bytes(2, b"frames"),
        };
        shape.message(1, dimension)
    });
    let tensor = Message::default().number(1, 1).message(2, shape);
    Message::default().bytes(1, name.as_bytes()).message(2, Message::default().message(1, tensor))
}

/// A network that gives each stem the mix times a gain.
fn network_of_gains(gains: &[f32], frames: Option<u64>) -> Vec<u8> {
    let stems = gains.len() as u64;
    let values: Vec<u8> = gains.iter().flat_map(|gain| gain.to_le_bytes()).collect();
    let sizes = [1, stems, 1, 1];
    let gains = sizes.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size));
    let gains = gains.number(2, 1).bytes(8, b"gains").bytes(9, &values);
    let product =
        Message::default().bytes(1, b"sound").bytes(1, b"gains").bytes(2, b"stems").bytes(4, b"Mul");
    let graph = Message::default()
        .message(1, product)
        .bytes(2, b"separator")
        .message(5, gains)
        .message(11, named_shape("sound", &[Some(1), Some(2), frames]))
        .message(12, named_shape("stems", &[Some(1), Some(stems), Some(2), frames]));
    let operators = Message::default().bytes(1, b"").number(2, 13);
    Message::default().number(1, 8).message(7, graph).message(8, operators).0
}

fn written(dir: &Path, network: &[u8]) -> PathBuf {
    let path = dir.join("separator.onnx");
    std::fs::write(&path, network).unwrap();
    path
}

/// A tone that fades, so that a segment in the wrong place shows.
fn mix(rate_hz: u32) -> StereoPcm {
    let frames = rate_hz as usize;
    let sample = |n: usize| (n as f32 * 0.05).sin() * (1.0 - n as f32 / frames as f32);
    let left: Vec<f32> = (0..frames).map(sample).collect();
    let right = left.iter().map(|sample| 0.5 * sample).collect();
    StereoPcm::new(left, right, rate_hz).unwrap()
}

/// Level against the rest in dB of a stem that is the mix times a gain.
fn level_db(gain: f64) -> f64 {
    20.0 * (gain / (1.0 - gain)).log10()
}

#[test]
fn stems_are_measured_in_the_order_that_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), &network_of_gains(&[0.25, 0.4], None));
    let separator = OnnxSeparator::open(&file, &[Stem::Drums, Stem::Vocals], &runtime()).unwrap();
    for rate_hz in [44_100, 48_000] {
        let levels = separator.separated_db(&mix(rate_hz)).unwrap();
        assert!((levels[Stem::Drums].unwrap() - level_db(0.25)).abs() < 1e-3);
        assert!((levels[Stem::Vocals].unwrap() - level_db(0.4)).abs() < 1e-3);
        assert_eq!((levels[Stem::Bass], levels[Stem::Other]), (None, None));
    }
}

#[test]
fn a_network_with_a_fixed_length_is_applied_in_segments() {
    let dir = tempfile::tempdir().unwrap();
    for frames in [10_000, 44_100, 60_000] {
        let file = written(dir.path(), &network_of_gains(&[0.2], Some(frames)));
        let separator = OnnxSeparator::open(&file, &[Stem::Bass], &runtime()).unwrap();
        let level = separator.separated_db(&mix(44_100)).unwrap()[Stem::Bass].unwrap();
        assert!((level - level_db(0.2)).abs() < 1e-3, "{frames} frames: {level} dB");
    }
}

#[test]
fn another_network_is_refused_by_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |network: &[u8], stems: &[Stem]| {
        let file = written(dir.path(), network);
        let Err(error) = OnnxSeparator::open(&file, stems, &runtime()) else { panic!("it was opened") };
        let words = format!("{error:#}");
        assert!(words.contains("separator.onnx"), "{words}");
        words
    };
    let two = network_of_gains(&[0.2, 0.3], None);
    assert!(refused(&two, &Stem::ALL).contains("gives 2 stems, and 4 are named"));
    refused(&two[..two.len() / 2], &[Stem::Bass, Stem::Drums]);
    refused(b"no network", &[Stem::Bass]);
    let missing = OnnxSeparator::open(&dir.path().join("none.onnx"), &[Stem::Bass], &runtime());
    assert!(format!("{:#}", missing.err().unwrap()).contains("none.onnx"));
}
