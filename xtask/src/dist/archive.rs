//! Archives that depend on nothing but their content: sorted by the caller, one time for all, no owner.

use super::Entry;
use crate::Result;
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

/// The first time that a .zip can hold: 1980-01-01.
const ZIP_EPOCH_S: u64 = 315_532_800;

/// Writes a .tar.gz with all entries below a folder `name`.
pub(super) fn tar_gz(entries: &[&Entry], name: &str, epoch_s: u64, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| format!("{} cannot be made: {error}.", to.display());
    // Without a time and a name of its own in the head.
    let packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(packed);
    for entry in entries {
        let bytes = entry.bytes()?;
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(entry.mode());
        header.set_mtime(epoch_s);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, format!("{name}/{}", entry.path), bytes.as_slice()).map_err(failed)?;
    }
    let bytes = tar.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(failed)?;
    replace(to, &bytes)
}

/// Writes a .zip with all entries below a folder `name`, not compressed: most of a release is weights, which hardly are.
pub(super) fn zip(entries: &[&Entry], name: &str, epoch_s: u64, to: &Path) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| format!("{} cannot be made: {error}.", to.display());
    let (year, month, day, hour, minute, second) = civil(epoch_s.max(ZIP_EPOCH_S));
    let time = zip::DateTime::from_date_and_time(year, month, day, hour, minute, second)
        .map_err(|error| failed(&error))?;
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(time)
            .unix_permissions(entry.mode());
        archive.start_file(format!("{name}/{}", entry.path), options).map_err(|error| failed(&error))?;
        archive.write_all(&entry.bytes()?).map_err(|error| failed(&error))?;
    }
    let bytes = archive.finish().map_err(|error| failed(&error))?.into_inner();
    replace(to, &bytes)
}

/// Seconds since 1970 as a date and time (UTC). From "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant.
fn civil(epoch_s: u64) -> (u16, u8, u8, u8, u8, u8) {
    let (days, second) = (epoch_s / 86_400 + 719_468, epoch_s % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (
        year as u16,
        month as u8,
        day as u8,
        (second / 3_600) as u8,
        (second / 60 % 60) as u8,
        (second % 60) as u8,
    )
}

/// Writes next to the file, and renames.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = path.with_file_name(format!(".{name}.new-{}", std::process::id()));
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(civil(ZIP_EPOCH_S), (1980, 1, 1, 0, 0, 0));
        assert_eq!(civil(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(civil(1_764_169_445), (2025, 11, 26, 15, 4, 5));
    }
}
