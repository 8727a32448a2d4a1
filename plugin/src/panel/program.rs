//! The command line beside the plugin, run as a child process: it lists and fetches language models.
//!
//! The plugin itself has no code for the network. The child writes lines of JSON into a file without a name, which the panel
//! reads as it grows: nothing here waits, and there is no thread that could outlive this library. Dropping a [`Task`] ends it;
//! what a fetch has brought stays, and the next one goes on from there.

use serde::Deserialize;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempPath;

/// Name of the program.
const NAME: &str = if cfg!(windows) { "mixing-buddy.exe" } else { "mixing-buddy" };
/// How far above the library's own folder the program is looked for: a VST3 has two folders inside its bundle.
const LEVELS_UP: usize = 4;
/// Most bytes that are read at a time, and the longest line. Longer output is no answer of ours.
const MOST_BYTES: u64 = 1 << 20;

/// Where the program is.
#[derive(Clone, Debug, Default)]
pub enum Program {
    /// Beside the plugin, in the user's own folder for programs, or where the system finds programs.
    #[default]
    Installed,
    /// This program with these arguments first. For tests.
    This(OsString, Vec<OsString>),
}

/// What a task says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The models, and which one is chosen.
    Listed(List),
    /// So many bytes are here, of so many; how long the rest takes.
    Progress {
        /// Bytes that are here.
        bytes: u64,
        /// Bytes of the file.
        size_bytes: u64,
        /// Time left in seconds.
        seconds_left: Option<f64>,
    },
    /// Another program fetches the same file.
    Waiting,
    /// The connection broke, and why; another try follows.
    Retrying(String),
    /// The file is here.
    Done(PathBuf),
    /// Stopped as asked.
    Stopped,
    /// It failed, and why.
    Failed(String),
}

/// The answer of `model list --json`, as far as the panel needs it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct List {
    /// The models.
    pub models: Vec<Listed>,
}

/// A model of the list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is for: "advice" or "training".
    pub purpose: String,
    /// Size of its file.
    pub size_bytes: Option<u64>,
    /// Licence of its weights.
    pub licence: Option<String>,
    /// Where it is, if it is here.
    pub path: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Progress {
        bytes: u64,
        size_bytes: u64,
        seconds_left: Option<f64>,
    },
    Waiting,
    Retrying {
        reason: String,
    },
    Done {
        path: PathBuf,
    },
    Stopped,
    Failed {
        reason: String,
    },
    #[serde(other)]
    Other,
}

/// Why no task was started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program is nowhere.
    #[error(
        "The program {NAME}, which fetches models, was not found. Install it beside the plugin, or choose a file."
    )]
    NotFound,
    /// It could not be started.
    #[error("The program {0} could not be started: {1}.")]
    NotStarted(String, io::Error),
}

/// A running command.
#[derive(Debug)]
pub struct Task {
    child: Child,
    /// Closing it asks a fetch to stop.
    input: Option<ChildStdin>,
    output: Written,
    errors: Written,
    /// A line that has not ended yet.
    line: Vec<u8>,
    has_ended: bool,
}

/// What the child has written into a file.
#[derive(Debug)]
struct Written {
    /// A handle of its own, so that reading does not move the place where the child writes.
    file: File,
    /// Where the system cannot remove the name of an open file, it goes with this.
    _name: Option<TempPath>,
}

impl Written {
    /// An empty file, and the handle for the child.
    fn new() -> io::Result<(Written, File)> {
        let named = tempfile::NamedTempFile::new()?;
        let for_child = named.reopen()?;
        let (file, name) = named.into_parts();
        let name = if cfg!(unix) { name.close().map(|()| None)? } else { Some(name) };
        Ok((Written { file, _name: name }, for_child))
    }

    /// What has been written since the last call.
    fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What cannot be read now is read the next time.
        let _what_is_there_counts = self.file.by_ref().take(MOST_BYTES).read_to_end(&mut bytes);
        bytes
    }
}

impl Task {
    /// Starts the command line with these arguments. `library` is the plugin's own file.
    ///
    /// # Errors
    /// When the program is not found, or cannot be started.
    pub fn start(program: &Program, library: Option<&Path>, args: &[&str]) -> Result<Task, ProgramError> {
        let candidates: Vec<(OsString, Vec<OsString>)> = match program {
            Program::This(program, first) => vec![(program.clone(), first.clone())],
            Program::Installed => {
                let places = places(library).into_iter().map(|place| (place.into(), Vec::new()));
                places.collect()
            }
        };
        for (program, first) in candidates {
            match Self::try_start(&program, &first, args) {
                Ok(task) => return Ok(task),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(ProgramError::NotStarted(program.to_string_lossy().into_owned(), error));
                }
            }
        }
        Err(ProgramError::NotFound)
    }

    fn try_start(program: &OsString, first: &[OsString], args: &[&str]) -> io::Result<Task> {
        let ((output, to_output), (errors, to_errors)) = (Written::new()?, Written::new()?);
        let mut command = Command::new(program);
        command.args(first).args(args).stdin(Stdio::piped());
        command.stdout(to_output).stderr(to_errors);
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt;
            /// Keeps a console window from appearing: `CREATE_NO_WINDOW` of `CreateProcess`.
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NO_WINDOW);
        }
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        Ok(Task { child, input, output, errors, line: Vec::new(), has_ended: false })
    }

    /// Asks it to stop; it says so when it has.
    pub fn stop(&mut self) {
        self.input = None;
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.input.is_none()
    }

    /// What it has said since the last call, and whether it has ended. Never waits.
    pub fn poll(&mut self) -> (Vec<Said>, bool) {
        if self.has_ended {
            return (Vec::new(), true);
        }
        let ended = self.child.try_wait().unwrap_or(None);
        let mut said = self.new_lines();
        let Some(status) = ended else { return (said, false) };
        self.has_ended = true;
        let is_told = said.iter().any(|said| matches!(said, Said::Failed(_) | Said::Stopped | Said::Done(_)));
        if !status.success() && !is_told {
            said.push(Said::Failed(self.error_text()));
        }
        (said, true)
    }

    fn new_lines(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        for byte in self.output.rest() {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            said.extend(said_in(&line));
        }
        said
    }

    /// The last line of what it wrote as errors.
    fn error_text(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.errors.rest()).into_owned();
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
        last.strip_prefix("Error: ").unwrap_or(last).to_string()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // A killed process ends at once, so waiting for it, which removes it from the process table, is short.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a line says; none for a line that the panel has no use for.
fn said_in(line: &[u8]) -> Option<Said> {
    if let Ok(list) = serde_json::from_slice::<List>(line) {
        return Some(Said::Listed(list));
    }
    match serde_json::from_slice::<Line>(line).ok()? {
        Line::Progress { bytes, size_bytes, seconds_left } => {
            Some(Said::Progress { bytes, size_bytes, seconds_left })
        }
        Line::Waiting => Some(Said::Waiting),
        Line::Retrying { reason } => Some(Said::Retrying(reason)),
        Line::Done { path } => Some(Said::Done(path)),
        Line::Stopped => Some(Said::Stopped),
        Line::Failed { reason } => Some(Said::Failed(reason)),
        Line::Other => None,
    }
}

/// Where the program may be, the most likely place first. The last one is a name, which the system looks up.
fn places(library: Option<&Path>) -> Vec<PathBuf> {
    let above = library.into_iter().flat_map(|library| library.ancestors().skip(1).take(LEVELS_UP));
    let mut places: Vec<PathBuf> = above.map(|folder| folder.join(NAME)).collect();
    places.extend(std::env::home_dir().map(|home| home.join(".local/bin").join(NAME)));
    places.push(NAME.into());
    places
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn shell(script: &str) -> Task {
        let program = Program::This("/bin/sh".into(), vec!["-c".into(), script.into(), "sh".into()]);
        Task::start(&program, None, &["model", "fetch"]).expect("sh is installed")
    }

    fn all(task: &mut Task) -> Vec<Said> {
        let (started, mut said) = (Instant::now(), Vec::new());
        loop {
            let (new, has_ended) = task.poll();
            said.extend(new);
            if has_ended {
                return said;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "the task never ended");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn lines_are_read_as_they_come_and_unknown_ones_are_passed_over() {
        let mut task = shell(
            r#"echo '{"event": "found", "size_bytes": 10}'; printf '{"event": "progress", "bytes": 4,'
            sleep 0.1; echo ' "size_bytes": 10, "seconds_left": 2.0}'; echo no JSON
            echo '{"event": "done", "path": "/m.gguf", "was_present": false}'"#,
        );
        let progress = Said::Progress { bytes: 4, size_bytes: 10, seconds_left: Some(2.0) };
        assert_eq!(all(&mut task), [progress, Said::Done("/m.gguf".into())]);
    }

    #[test]
    fn a_task_is_asked_to_stop_by_the_end_of_its_input() {
        let mut task =
            shell(r#"read -r _; echo '{"event": "stopped", "bytes": 4, "size_bytes": 10}'; exit 1"#);
        assert_eq!(task.poll(), (Vec::new(), false));
        task.stop();
        assert_eq!(all(&mut task), [Said::Stopped]);
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_the_program() {
        let mut task = shell("echo 'Error: the disk is full' >&2; exit 1");
        assert_eq!(all(&mut task), [Said::Failed("the disk is full".into())]);
        let nothing = Program::This("no-such-program".into(), Vec::new());
        let error = Task::start(&nothing, None, &[]).expect_err("no such program").to_string();
        assert!(error.contains("was not found"), "{error}");
    }

    #[test]
    fn dropping_a_task_ends_it_at_once() {
        let task = shell("exec sleep 60");
        let (started, id) = (Instant::now(), task.child.id());
        drop(task);
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(!PathBuf::from(format!("/proc/{id}")).exists() || cfg!(not(target_os = "linux")));
    }
}
