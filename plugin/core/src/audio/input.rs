//! Opens what a user names: a file, a pipe, or standard input.
//!
//! Most readers need to go back in a file, so what comes through a pipe is first written to a temporary file without
//! a name, of [`PIPE_LIMIT_BYTES`] at most.

use super::kind::{HEAD_BYTES, Head, judge};
use crate::error::{Error, Result};
use std::fs::{File, Metadata};
use std::io::{ErrorKind, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most bytes that are read from a pipe: two hours of stereo at 96 kHz and 24 bits.
pub const PIPE_LIMIT_BYTES: u64 = 4 << 30;
/// A named pipe must have a writer that sends something within this time.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// And never pause longer than this.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks at a pipe that has nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An opened file.
pub(super) struct Input {
    pub file: File,
    /// Length in bytes, at least 1.
    pub len: u64,
    /// For messages.
    pub name: PathBuf,
}

impl Input {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened or read, [`Error::Audio`] if it is a folder, a device, empty, longer than
    /// the limit of a pipe, or a pipe that sends nothing.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Self::standard_input();
        }
        let name = path.to_path_buf();
        let about = std::fs::metadata(path).map_err(Error::io(path))?;
        match special(&about) {
            None => {}
            Some(Special::Pipe) => {
                let file = spool(&mut open_pipe(path)?, &name)?;
                return Self::of_file(file, name);
            }
            Some(Special::Other(what)) => return Err(Error::audio(path, what)),
        }
        let file = File::open(path).map_err(Error::io(path))?;
        Self::of_file(file, name)
    }

    fn standard_input() -> Result<Self> {
        let name = PathBuf::from("standard input");
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            return Err(Error::audio(name, "is a terminal: send a song through a pipe, or name a file"));
        }
        // Blocks until the writer ends, as everywhere.
        let file = spool(&mut input, &name)?;
        Self::of_file(file, name)
    }

    fn of_file(file: File, name: PathBuf) -> Result<Self> {
        let len = file.metadata().map_err(Error::io(&name))?.len();
        if len == 0 {
            return Err(Error::audio(name, "is empty"));
        }
        Ok(Self { file, len, name })
    }
}

/// What is no plain file.
enum Special {
    Pipe,
    /// Refused, with a sentence without subject.
    Other(&'static str),
}

const FOLDER: &str = "is a folder, not an audio file";

#[cfg(unix)]
fn special(about: &Metadata) -> Option<Special> {
    use std::os::unix::fs::FileTypeExt;
    let kind = about.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some(Special::Other(FOLDER)),
        () if kind.is_fifo() => Some(Special::Pipe),
        () if kind.is_socket() => Some(Special::Other("is a socket, not an audio file")),
        () => Some(Special::Other("is a device, not an audio file")),
    }
}

#[cfg(not(unix))]
fn special(about: &Metadata) -> Option<Special> {
    match () {
        () if about.is_file() => None,
        () if about.is_dir() => Some(Special::Other(FOLDER)),
        () => Some(Special::Other("is not a plain file; send it through standard input (-)")),
    }
}

/// A named pipe, read without ever blocking for long.
#[cfg(unix)]
fn open_pipe(path: &Path) -> Result<impl Read> {
    use std::os::unix::fs::OpenOptionsExt;
    // Otherwise opening would wait for a writer.
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(Error::io(path))?;
    Ok(PatientPipe { file, has_begun: false })
}

#[cfg(not(unix))]
fn open_pipe(path: &Path) -> Result<impl Read> {
    File::open(path).map_err(Error::io(path))
}

/// Waits for a writer, and for its bytes, up to the timeouts.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no named pipes in the file system"))]
struct PatientPipe {
    file: File,
    has_begun: bool,
}

impl Read for PatientPipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let start = Instant::now();
        loop {
            match self.file.read(buffer) {
                // No writer yet, or no longer.
                Ok(0) if !self.has_begun && !buffer.is_empty() => {}
                Ok(count) => {
                    self.has_begun = true;
                    return Ok(count);
                }
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => {}
                Err(cause) => return Err(cause),
            }
            let timeout = if self.has_begun { PAUSE_TIMEOUT } else { FIRST_BYTE_TIMEOUT };
            if start.elapsed() > timeout {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Writes all of a pipe to a temporary file, and goes back to its start. What no song starts with is refused early.
fn spool(from: &mut impl Read, name: &Path) -> Result<File> {
    let failed = |cause: std::io::Error| match cause.kind() {
        ErrorKind::TimedOut => Error::audio(name, "is a pipe through which nothing comes"),
        _ => Error::io(name)(cause),
    };
    let mut head = Vec::new();
    from.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
    let is_whole = head.len() < HEAD_BYTES;
    if head.is_empty() {
        return Err(Error::audio(name, "is empty"));
    }
    if let Head::Foreign(reason) = judge(&head, is_whole) {
        return Err(Error::audio(name, reason));
    }
    let stored = |cause: std::io::Error| {
        Error::audio(name, format!("comes through a pipe and cannot be stored in a temporary file: {cause}"))
    };
    let mut file = tempfile::tempfile().map_err(stored)?;
    file.write_all(&head).map_err(stored)?;
    let mut buffer = vec![0; 256 << 10];
    let mut total = head.len() as u64;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) => return Err(failed(cause)),
        };
        total += count as u64;
        if total > PIPE_LIMIT_BYTES {
            let gib = PIPE_LIMIT_BYTES >> 30;
            return Err(Error::audio(name, format!("is a pipe that sends more than {gib} GiB: give a file")));
        }
        file.write_all(&buffer[..count]).map_err(stored)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(stored)?;
    Ok(file)
}
