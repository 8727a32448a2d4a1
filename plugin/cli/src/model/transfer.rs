//! One file: resumed where it stopped, checked while it arrives, tried again when the connection breaks.

use super::catalogue::{Address, size_text};
use super::hub::{Hub, HubError, Remote};
use super::report::Event;
use anyhow::{Context, Result, anyhow, bail};
use mixing_buddy_core::CancelFlag;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Tries one after another that bring no byte, before it is given up.
const TRIES: u32 = 4;
/// Wait before the second try; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Bytes of a block.
const BLOCK: usize = 256 << 10;
/// Blocks that may wait for the disk.
const WAITING_BLOCKS: usize = 8;
/// Longest time until a cancel is seen.
const POLL: Duration = Duration::from_millis(50);

/// The user, or the caller, stopped the fetch; what arrived is kept.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// The file so far: on disk, and its checksum.
struct Part<'a> {
    path: &'a Path,
    file: File,
    length: u64,
    hash: Sha256,
}

/// What a connection brings.
enum Arrival {
    /// The place of the first byte.
    Start(u64),
    Bytes(Vec<u8>),
    End,
    Failed(HubError),
}

/// Fetches the content into the file `part`, which may hold a part of it. When this returns, it is whole and on the disk.
///
/// # Errors
/// [`Stopped`], with what arrived kept; when the hub refuses or cannot be reached; when the checksum is wrong, and the file is
/// then removed; when the file cannot be written.
pub fn transfer(
    hub: &Hub,
    (address, remote): (&Address, &Remote),
    part: &Path,
    cancel: &CancelFlag,
    tell: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<()> {
    let mut part = Part::open(part, remote.size_bytes, cancel)?;
    let mut resumed = part.length > 0;
    if resumed {
        tell(Event::Resumed(part.length))?;
    }
    loop {
        fill(hub, (address, remote), &mut part, cancel, tell)?;
        part.file.sync_all().with_context(|| part.cannot("written"))?;
        let found = format!("{:x}", part.hash.clone().finalize());
        if found == remote.sha256 {
            return Ok(());
        }
        part.restart()?;
        if !resumed {
            std::fs::remove_file(part.path).with_context(|| part.cannot("removed"))?;
            bail!(
                "{}: the checksum of what arrived is wrong, and the file was removed: SHA-256 {found}, not {}",
                address.name,
                remote.sha256
            );
        }
        resumed = false;
        tell(Event::Restarted("what was kept of an earlier fetch is damaged"))?;
    }
}

/// Fetches until the part has the whole length.
fn fill(
    hub: &Hub,
    (address, remote): (&Address, &Remote),
    part: &mut Part<'_>,
    cancel: &CancelFlag,
    tell: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<()> {
    let mut failures = 0;
    while part.length < remote.size_bytes {
        let before = part.length;
        let arrivals = connect(hub.clone(), address.clone(), remote.clone(), before);
        let failure = match receive(&arrivals, remote.size_bytes, part, cancel, tell)? {
            None => continue,
            Some(HubError::Refused(reason)) => bail!(reason),
            Some(failure) => failure,
        };
        failures = if part.length > before { 1 } else { failures + 1 };
        if failures >= TRIES {
            return Err(anyhow!("{failure}")).with_context(|| {
                let (here, all) = (size_text(part.length), size_text(remote.size_bytes));
                format!(
                    "{}: given up after {TRIES} tries, with {here} of {all} kept for the next time",
                    address.name
                )
            });
        }
        let asked = match failure {
            HubError::Broken { wait, .. } => wait,
            _ => None,
        };
        let wait = asked.unwrap_or(FIRST_WAIT * 2u32.pow(failures - 1));
        tell(Event::Retrying { reason: &failure.to_string(), wait })?;
        let until = Instant::now() + wait;
        while Instant::now() < until {
            stop_if(cancel)?;
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

fn stop_if(cancel: &CancelFlag) -> Result<()> {
    if cancel.is_cancelled() { Err(Stopped.into()) } else { Ok(()) }
}

/// Reads on a thread of its own, so that a server that is silent delays no cancel. The thread ends with the connection, or once
/// nobody takes what it reads.
fn connect(hub: Hub, address: Address, remote: Remote, start: u64) -> Receiver<Arrival> {
    let (sender, receiver) = sync_channel(WAITING_BLOCKS);
    std::thread::spawn(move || {
        let mut opened = match hub.open(&address, &remote, start) {
            Ok(opened) => opened,
            Err(error) => return drop(sender.send(Arrival::Failed(error))),
        };
        if sender.send(Arrival::Start(opened.start)).is_err() {
            return;
        }
        loop {
            let mut block = vec![0; BLOCK];
            let arrival = match opened.reader.read(&mut block) {
                Ok(0) => Arrival::End,
                Ok(count) => {
                    block.truncate(count);
                    Arrival::Bytes(block)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    let reason = format!("the connection broke: {error}");
                    Arrival::Failed(HubError::Broken { reason, wait: None })
                }
            };
            let is_last = !matches!(arrival, Arrival::Bytes(_));
            if sender.send(arrival).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Writes what arrives. Returns why it ended early; nothing if the file is whole.
fn receive(
    arrivals: &Receiver<Arrival>,
    size_bytes: u64,
    part: &mut Part<'_>,
    cancel: &CancelFlag,
    tell: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<Option<HubError>> {
    let early = |reason: &str| Some(HubError::Broken { reason: reason.into(), wait: None });
    loop {
        stop_if(cancel)?;
        match arrivals.recv_timeout(POLL) {
            Ok(Arrival::Start(start)) if start == part.length => {}
            Ok(Arrival::Start(_)) => {
                part.restart()?;
                tell(Event::Restarted("the server cannot go on in the middle of a file"))?;
            }
            Ok(Arrival::Bytes(block)) => {
                if part.length + block.len() as u64 > size_bytes {
                    let reason = format!("the server sends more than the {size_bytes} bytes of the file");
                    return Ok(Some(HubError::Refused(reason)));
                }
                part.append(&block, size_bytes)?;
                tell(Event::Progress(part.length))?;
                if part.length == size_bytes {
                    return Ok(None);
                }
            }
            Ok(Arrival::End) => return Ok(early("the transfer broke off early")),
            Ok(Arrival::Failed(error)) => return Ok(Some(error)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(early("the transfer ended without a reason")),
        }
    }
}

impl<'a> Part<'a> {
    /// Opens or makes the file, and reads what it has.
    fn open(path: &'a Path, size_bytes: u64, cancel: &CancelFlag) -> Result<Self> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut part = Part { path, file, length: 0, hash: Sha256::new() };
        let kept = part.file.metadata().with_context(|| part.cannot("read"))?.len();
        if kept > size_bytes {
            part.restart()?;
            return Ok(part);
        }
        part.hash =
            hash_of(&mut part.file, cancel).with_context(|| format!("{} cannot be read", path.display()))?;
        part.length = part.file.stream_position().with_context(|| part.cannot("read"))?;
        Ok(part)
    }

    fn cannot(&self, what: &str) -> String {
        format!("{} cannot be {what}", self.path.display())
    }

    fn append(&mut self, block: &[u8], size_bytes: u64) -> Result<()> {
        if let Err(cause) = self.file.write_all(block) {
            // A part of the block may have been written; without its checksum it does not count.
            let _reported_below = self.file.set_len(self.length);
            let left = size_text(size_bytes - self.length);
            return Err(match cause.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => anyhow!(
                    "{}: the disk is full; {left} more are needed. What arrived is kept",
                    self.path.display()
                ),
                _ => anyhow!(cause).context(self.cannot("written")),
            });
        }
        self.hash.update(block);
        self.length += block.len() as u64;
        Ok(())
    }

    /// Empties the file.
    fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.with_context(|| self.cannot("written"))?;
        (self.length, self.hash) = (0, Sha256::new());
        Ok(())
    }
}

/// The checksum of a file from where it stands to its end.
///
/// # Errors
/// [`Stopped`], or when it cannot be read.
pub fn hash_of(file: &mut File, cancel: &CancelFlag) -> Result<Sha256> {
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        stop_if(cancel)?;
        match file.read(&mut block) {
            Ok(0) => return Ok(hash),
            Ok(count) => hash.update(&block[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
