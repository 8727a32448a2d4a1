//! Files of a header and many numbers, which are mapped into memory: opening one reads the header alone.
//!
//! Eight bytes that tell the kind, the header's length (64 bits), the header as JSON, and from the next multiple of 64 bytes on
//! the numbers. All numbers are little-endian.

use crate::files;
use anyhow::{Context, Result, bail, ensure};
use bytemuck::Pod;
use memmap2::Mmap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::Path;

/// Bytes that tell the kind.
pub const KIND_BYTES: usize = 8;
/// Bytes before the header.
const HEAD_BYTES: usize = KIND_BYTES + 8;
/// The numbers start at a multiple of this.
const ALIGNMENT: usize = 64;
/// Numbers that are written at a time.
const PIECE: usize = 1 << 16;

/// What stands after the header.
#[derive(Debug)]
pub struct MappedNumbers<T> {
    map: Mmap,
    /// Where they start.
    at: usize,
    kind: PhantomData<T>,
}

impl<T: Pod> Deref for MappedNumbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // Start and length were checked on opening.
        bytemuck::cast_slice(&self.map[self.at..])
    }
}

/// Opens a file whose first bytes are `kind`. `what` is its name in messages, such as "an index".
///
/// # Errors
/// When it cannot be read, is of another kind, or is cut off.
pub fn open_mapped<H: DeserializeOwned, T: Pod>(
    path: &Path,
    kind: &[u8; KIND_BYTES],
    what: &str,
) -> Result<(H, MappedNumbers<T>)> {
    let place = path.display();
    let mut file = File::open(path).with_context(|| format!("{place} cannot be opened"))?;
    let length = file.metadata().with_context(|| format!("{place} cannot be read"))?.len();
    let mut head = [0; HEAD_BYTES];
    let is_of_kind = file.read_exact(&mut head).is_ok() && head.starts_with(kind);
    ensure!(is_of_kind, "{place} is not {what} of this version");
    let header_bytes = u64::from_le_bytes(head[KIND_BYTES..].try_into().expect("eight bytes"));
    ensure!(header_bytes <= length.saturating_sub(HEAD_BYTES as u64), "{place} is cut off");
    // The header is read, not mapped: that of a large collection has tens of megabytes, which are not needed any longer.
    let mut header = vec![0; header_bytes as usize];
    file.read_exact(&mut header).with_context(|| format!("{place} cannot be read"))?;
    let header =
        serde_json::from_slice(&header).with_context(|| format!("{place}: its header cannot be read"))?;
    // SAFETY: such files are written next to their place and renamed, never changed while they are mapped.
    let map = unsafe { Mmap::map(&file) }.with_context(|| format!("{place} cannot be read"))?;
    let at = (HEAD_BYTES + header_bytes as usize).next_multiple_of(ALIGNMENT).min(map.len());
    if bytemuck::try_cast_slice::<u8, T>(&map[at..]).is_err() {
        bail!("{place} is cut off");
    }
    Ok((header, MappedNumbers { map, at, kind: PhantomData }))
}

/// Writes such a file next to its place, and renames it. The numbers come in pieces.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn write_mapped<'a, T: Pod>(
    path: &Path,
    kind: &[u8; KIND_BYTES],
    header: &impl Serialize,
    numbers: impl IntoIterator<Item = &'a [T]>,
) -> Result<()> {
    let header = serde_json::to_vec(header)?;
    files::replace_with(path, |file| {
        file.write_all(kind)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        let end = HEAD_BYTES + header.len();
        file.write_all(&vec![0; end.next_multiple_of(ALIGNMENT) - end])?;
        for piece in numbers.into_iter().flat_map(|numbers| numbers.chunks(PIECE)) {
            file.write_all(bytemuck::cast_slice(piece))?;
        }
        Ok(())
    })
}

// The files are the same on all machines that this program is made for.
#[cfg(target_endian = "big")]
compile_error!("numbers in files are little-endian");

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &[u8; KIND_BYTES] = b"MBTEST01";

    #[test]
    fn numbers_come_back_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers");
        let open = |path: &Path| open_mapped::<Vec<String>, f32>(path, KIND, "a test");
        for count in [0, 1, 100_000] {
            let numbers: Vec<f32> = (0..count).map(|at| at as f32).collect();
            let header = vec!["x".repeat(count % 77)];
            write_mapped(&path, KIND, &header, [&numbers[..count / 2], &numbers[count / 2..]]).unwrap();
            let (found, back) = open(&path).unwrap();
            assert_eq!((found, &*back), (header, &*numbers));
        }
        let bytes = std::fs::read(&path).unwrap();
        for (damaged, word) in [
            (&bytes[..bytes.len() - 1], "cut off"),
            (&bytes[..40], "cut off"),
            (&bytes[..7], "is not a test"),
            (&[0; 100], "is not a test"),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let sentence = format!("{:#}", open(&path).unwrap_err());
            assert!(sentence.contains(word) && sentence.contains("numbers"), "{sentence}");
        }
        let mut huge = bytes.clone();
        huge[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        std::fs::write(&path, huge).unwrap();
        assert!(format!("{:#}", open(&path).unwrap_err()).contains("cut off"));
    }
}
