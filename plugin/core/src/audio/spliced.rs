//! Parts of a file as one stream: what a decoder reads in place of the file.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::ops::Range;
use symphonia::core::io::MediaSource;

/// A head in memory, then parts of a file one after the other.
pub(super) struct Spliced {
    file: File,
    head: Vec<u8>,
    parts: Vec<Range<u64>>,
    /// Where each part starts in the stream.
    starts: Vec<u64>,
    len: u64,
    pos: u64,
}

impl Spliced {
    pub(super) fn new(file: File, head: Vec<u8>, parts: Vec<Range<u64>>) -> Self {
        let mut len = head.len() as u64;
        let starts = parts
            .iter()
            .map(|part| {
                let start = len;
                len += part.end.saturating_sub(part.start);
                start
            })
            .collect();
        Self { file, head, parts, starts, len, pos: 0 }
    }
}

impl Read for Spliced {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.pos < self.head.len() as u64 {
            let from = &self.head[self.pos as usize..];
            let count = from.len().min(buffer.len());
            buffer[..count].copy_from_slice(&from[..count]);
            self.pos += count as u64;
            return Ok(count);
        }
        let Some(index) = self.starts.partition_point(|start| *start <= self.pos).checked_sub(1) else {
            return Ok(0);
        };
        let (part, start) = (&self.parts[index], self.starts[index]);
        let at = part.start + (self.pos - start);
        let count = buffer.len().min(part.end.saturating_sub(at) as usize);
        if count == 0 {
            return Ok(0);
        }
        self.file.seek(SeekFrom::Start(at))?;
        let count = self.file.read(&mut buffer[..count])?;
        self.pos += count as u64;
        Ok(count)
    }
}

impl Seek for Spliced {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let pos = match to {
            SeekFrom::Start(pos) => Some(pos),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
        };
        self.pos = pos.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.pos)
    }
}

impl MediaSource for Spliced {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn parts_follow_one_another() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut stream = Spliced::new(file, b"head".to_vec(), vec![2..4, 6..6, 7..10]);
        assert_eq!(stream.byte_len(), Some(9));
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"head23789");
        for start in 0..=9 {
            stream.seek(SeekFrom::Start(start)).unwrap();
            all.clear();
            stream.read_to_end(&mut all).unwrap();
            assert_eq!(all, b"head23789"[start as usize..]);
        }
        assert_eq!(stream.seek(SeekFrom::End(20)).unwrap(), 29);
        assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
        assert!(stream.seek(SeekFrom::Current(-30)).is_err());
    }
}
