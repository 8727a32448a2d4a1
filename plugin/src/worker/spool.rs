//! Audio of an offline render that waits for the separator.
//!
//! A host renders far faster than a separator can follow, and must not be held up. What the worker reads from the ring goes
//! into a temporary file that has no name, so that it is gone when the process ends, however it ends. The file is emptied as
//! soon as all of it has been taken out again.

use crate::capture::Stretch;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Most bytes that wait: about 90 minutes of stereo at 48 kHz.
const MOST_BYTES: u64 = 2 << 30;
const SAMPLE_BYTES: usize = size_of::<f32>();

/// A queue of stretches on disk.
pub struct Spool {
    file: File,
    most_bytes: u64,
    written: u64,
    taken: u64,
    stretches: VecDeque<Stretch>,
    bytes: Vec<u8>,
}

impl Spool {
    /// An empty queue.
    ///
    /// # Errors
    /// When the system's temporary folder cannot be written.
    pub fn new() -> io::Result<Self> {
        Self::with_bound(MOST_BYTES)
    }

    fn with_bound(most_bytes: u64) -> io::Result<Self> {
        Ok(Spool {
            file: tempfile::tempfile()?,
            most_bytes,
            written: 0,
            taken: 0,
            stretches: VecDeque::new(),
            bytes: Vec::new(),
        })
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Frames of audio that wait.
    pub fn frames(&self) -> u64 {
        (self.written - self.taken) / (2 * SAMPLE_BYTES) as u64
    }

    /// Appends a stretch and its samples; false if there is no room for it.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be written. The stretch is not in the queue then.
    pub fn push(&mut self, stretch: Stretch, left: &[f32], right: &[f32]) -> io::Result<bool> {
        let size = ((left.len() + right.len()) * SAMPLE_BYTES) as u64;
        if self.written + size > self.most_bytes {
            return Ok(false);
        }
        self.bytes.clear();
        self.bytes.extend(left.iter().chain(right).flat_map(|sample| sample.to_le_bytes()));
        self.file.seek(SeekFrom::Start(self.written))?;
        self.file.write_all(&self.bytes)?;
        self.written += size;
        self.stretches.push_back(Stretch { frames: left.len(), ..stretch });
        Ok(true)
    }

    /// Takes the oldest stretch out, its samples into `left` and `right`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn pop(&mut self, left: &mut Vec<f32>, right: &mut Vec<f32>) -> io::Result<Option<Stretch>> {
        left.clear();
        right.clear();
        let Some(stretch) = self.stretches.pop_front() else { return Ok(None) };
        let channel = stretch.frames * SAMPLE_BYTES;
        self.bytes.resize(2 * channel, 0);
        self.file.seek(SeekFrom::Start(self.taken))?;
        self.file.read_exact(&mut self.bytes)?;
        self.taken += self.bytes.len() as u64;
        for (bytes, samples) in self.bytes.chunks_exact(channel.max(1)).zip([left, right]) {
            let words = bytes.chunks_exact(SAMPLE_BYTES);
            samples.extend(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        }
        if self.stretches.is_empty() {
            self.file.set_len(0)?;
            (self.written, self.taken) = (0, 0);
        }
        Ok(Some(stretch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Flow;

    fn stretch(position: i64) -> Stretch {
        Stretch { frames: 0, position, flow: Flow::Playing, follows_break: false, dropped: 0 }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_file_is_emptied() {
        let mut spool = Spool::new().unwrap();
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for round in 0..2 {
            assert!(spool.push(stretch(5), &[0.25, -1.5], &[3.0, f32::MIN_POSITIVE]).unwrap());
            assert!(spool.push(stretch(7), &[], &[]).unwrap(), "a stretch without audio, round {round}");
            assert!(spool.push(stretch(9), &[1.0], &[2.0]).unwrap());
            let first = spool.pop(&mut left, &mut right).unwrap().unwrap();
            assert_eq!((first.position, first.frames), (5, 2));
            assert_eq!(
                (left.as_slice(), right.as_slice()),
                ([0.25, -1.5].as_slice(), [3.0, f32::MIN_POSITIVE].as_slice())
            );
            assert_eq!(spool.pop(&mut left, &mut right).unwrap().unwrap().frames, 0);
            assert_eq!(spool.pop(&mut left, &mut right).unwrap().unwrap().position, 9);
            assert_eq!((left.as_slice(), right.as_slice()), ([1.0].as_slice(), [2.0].as_slice()));
            assert!(spool.pop(&mut left, &mut right).unwrap().is_none() && spool.is_empty());
            assert_eq!(spool.file.metadata().unwrap().len(), 0);
        }
    }

    #[test]
    fn a_full_spool_says_so_and_keeps_what_it_has() {
        let mut spool = Spool::with_bound(16).unwrap();
        assert!(spool.push(stretch(0), &[1.0, 2.0], &[3.0, 4.0]).unwrap());
        assert!(!spool.push(stretch(2), &[5.0], &[6.0]).unwrap());
        let (mut left, mut right) = (Vec::new(), Vec::new());
        assert_eq!(spool.pop(&mut left, &mut right).unwrap().unwrap().frames, 2);
        assert!(spool.push(stretch(2), &[5.0], &[6.0]).unwrap(), "room again");
    }
}
