//! TensorBoard event files: the figures of a run in the format that TensorBoard reads, in addition to the CSV.
//!
//! A file is a sequence of records: length (u64), masked CRC-32C of the length, the message, its masked CRC-32C, all
//! little-endian (TensorFlow's `core/lib/io/record_writer.h`). The messages are protocol buffers
//! (`tensorflow/core/util/event.proto`); scalars need five fields of them.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes the scalars of a run.
pub struct EventLog {
    file: Mutex<File>,
}

/// Field numbers of `Event`.
const WALL_TIME: u32 = 1;
const STEP: u32 = 2;
const FILE_VERSION: u32 = 3;
const SUMMARY: u32 = 5;
const SESSION_LOG: u32 = 7;
/// `Summary.value`, and `tag` and `simple_value` of its values.
const VALUE: u32 = 1;
const TAG: u32 = 1;
const SIMPLE_VALUE: u32 = 2;
/// `SessionLog.status`, and its value `START`: entries from this step on, logged by a killed run, are void.
const STATUS: u32 = 1;
const START: u64 = 1;

impl EventLog {
    /// Starts a new file in the folder of a run; TensorBoard reads all files of a folder as one run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(dir: &Path, resume_at: usize) -> Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("events.out.tfevents.{:010}.{:09}", since.as_secs(), since.subsec_nanos());
        let path = dir.join(name);
        let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let log = EventLog { file: Mutex::new(file) };
        let mut version = event(0);
        bytes_field(FILE_VERSION, b"brain.Event:2", &mut version);
        log.write(&version)?;
        if resume_at > 0 {
            let (mut start, mut status) = (event(resume_at + 1), Vec::new());
            varint_field(STATUS, START, &mut status);
            bytes_field(SESSION_LOG, &status, &mut start);
            log.write(&start)?;
        }
        Ok(log)
    }

    /// Adds the figures of a step.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn scalars(&self, step: usize, figures: &BTreeMap<String, f64>) -> Result<()> {
        let mut summary = Vec::new();
        for (name, figure) in figures {
            let mut value = Vec::new();
            bytes_field(TAG, name.as_bytes(), &mut value);
            key(SIMPLE_VALUE, 5, &mut value);
            value.extend((*figure as f32).to_le_bytes());
            bytes_field(VALUE, &value, &mut summary);
        }
        let mut message = event(step);
        bytes_field(SUMMARY, &summary, &mut message);
        self.write(&message)
    }

    fn write(&self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend_from_slice(message);
        record.extend(masked_crc(message).to_le_bytes());
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(&record).context("the TensorBoard event file cannot be written")
    }
}

/// An `Event` with the present time.
fn event(step: usize) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut message = Vec::new();
    key(WALL_TIME, 1, &mut message);
    message.extend(now.to_le_bytes());
    varint_field(STEP, step as u64, &mut message);
    message
}

fn key(field: u32, wire_type: u32, to: &mut Vec<u8>) {
    varint(u64::from(field << 3 | wire_type), to);
}

fn varint_field(field: u32, value: u64, to: &mut Vec<u8>) {
    key(field, 0, to);
    varint(value, to);
}

fn bytes_field(field: u32, bytes: &[u8], to: &mut Vec<u8>) {
    key(field, 2, to);
    varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// CRC-32C (Castagnoli; reflected polynomial 0x82f63b78). Records are short, so one bit at a time is fast enough.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// As TensorFlow stores it, so that a checksum over a record with checksums in it still works.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the usual check value.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    /// Reads a varint; returns it and what follows.
    fn read_varint(bytes: &[u8]) -> (u64, &[u8]) {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let value = bytes[..=end].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
        (value, &bytes[end + 1..])
    }

    /// The fields of a message: number, and value as bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (key, rest) = read_varint(bytes);
            let (value, rest) = match key & 7 {
                0 => {
                    let (value, rest) = read_varint(rest);
                    (value.to_le_bytes().to_vec(), rest)
                }
                1 => (rest[..8].to_vec(), &rest[8..]),
                5 => (rest[..4].to_vec(), &rest[4..]),
                2 => {
                    let (length, rest) = read_varint(rest);
                    (rest[..length as usize].to_vec(), &rest[length as usize..])
                }
                other => panic!("wire type {other}"),
            };
            all.push((key >> 3, value));
            bytes = rest;
        }
        all
    }

    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc(&bytes[..8]).to_le_bytes(), bytes[8..12]);
            let message = &bytes[12..12 + length];
            assert_eq!(masked_crc(message).to_le_bytes(), bytes[12 + length..16 + length]);
            all.push(message.to_vec());
            bytes = &bytes[16 + length..];
        }
        all
    }

    #[test]
    fn written_records_can_be_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let log = EventLog::create(dir.path(), 300).unwrap();
        let figures = BTreeMap::from([("loss".to_string(), 0.25), ("learning_rate".to_string(), 1e-3)]);
        log.scalars(400, &figures).unwrap();
        let path = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        assert!(path.file_name().unwrap().to_string_lossy().contains("tfevents"));
        let records: Vec<_> = records(&std::fs::read(path).unwrap()).iter().map(|r| fields(r)).collect();
        let [version, start, scalars] = records.as_slice() else { panic!("three records") };
        assert_eq!(version[2], (3, b"brain.Event:2".to_vec()));
        assert_eq!((start[1].1[0], start[2].0), (45, 7)); // 301 is 0x12d: the next step
        assert_eq!(u64::from_le_bytes(scalars[1].1.as_slice().try_into().unwrap()), 400);
        let values: Vec<(String, f32)> = fields(&scalars[2].1)
            .iter()
            .map(|(_, value)| {
                let parts = fields(value);
                let tag = String::from_utf8(parts[0].1.clone()).unwrap();
                (tag, f32::from_le_bytes(parts[1].1.as_slice().try_into().unwrap()))
            })
            .collect();
        assert_eq!(values, [("learning_rate".to_string(), 1e-3), ("loss".to_string(), 0.25)]);
    }
}
