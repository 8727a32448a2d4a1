//! Standard output and standard error of the command lines: full disks and closed pipes are no panic.
//!
//! The file uses the standard library only: `xtask`, which links no other crate, includes it.
//!
//! `println!` panics where its text cannot be written. A command prints with [`print_line`], hands errors on, and lets
//! [`exit_code`] end the program: quietly if whoever read the output has stopped (`… | head`), else with a sentence.

use std::error::Error as StdError;
use std::fmt::{Display, Formatter};
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

/// Why output cannot be written.
#[derive(Debug)]
pub enum OutputError {
    /// Nobody reads it any longer: no fault, but a reason to stop.
    Closed,
    /// For example, the disk is full.
    Failed(std::io::Error),
}

impl Display for OutputError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            OutputError::Closed => formatter.write_str("standard output is closed"),
            OutputError::Failed(cause) => write!(formatter, "standard output cannot be written: {cause}"),
        }
    }
}

impl StdError for OutputError {}

/// Prints a line on standard output.
///
/// # Errors
/// When it cannot be written.
pub fn print_line(line: &str) -> Result<(), OutputError> {
    write_line(&mut stdout().lock(), line)
}

/// Prints a part of a line on standard output, at once: text that comes word by word.
///
/// # Errors
/// When it cannot be written.
pub fn print_part(text: &str) -> Result<(), OutputError> {
    write_text(&mut stdout().lock(), text)
}

/// Prints a line on standard error. Where it cannot be written there is nobody to tell.
pub fn note(line: &str) {
    let _nobody_reads_it = write_line(&mut stderr().lock(), line);
}

fn write_line(to: &mut impl Write, line: &str) -> Result<(), OutputError> {
    write_text(to, &format!("{line}\n"))
}

fn write_text(to: &mut impl Write, text: &str) -> Result<(), OutputError> {
    to.write_all(text.as_bytes()).and_then(|()| to.flush()).map_err(|cause| match cause.kind() {
        ErrorKind::BrokenPipe => OutputError::Closed,
        _ => OutputError::Failed(cause),
    })
}

/// Whether the output's reader has stopped: the error, or one that it names as its source, is [`OutputError::Closed`].
pub fn is_closed(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(OutputError::Closed)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The exit code of a program: 0 after success or if the output's reader has stopped; else 1, after the error on
/// standard error. `text` is the error with its causes.
pub fn exit_code(failure: Option<(&(dyn StdError + 'static), String)>) -> ExitCode {
    match failure {
        Some((error, text)) if !is_closed(error) => {
            note(&format!("Error: {text}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with one kind of error.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        let closed = write_line(&mut Broken(ErrorKind::BrokenPipe), "x").expect_err("it is closed");
        assert!(is_closed(&closed));
        let full = write_line(&mut Broken(ErrorKind::StorageFull), "x").expect_err("it is full");
        assert!(!is_closed(&full) && full.to_string().contains("standard output cannot be written"));
        let mut written = Vec::new();
        assert!(write_line(&mut written, "a line").is_ok());
        assert_eq!(written, b"a line\n");
    }
}
