//! The platform's own file dialog, run as a child process. The panel polls it for an answer and can end it. Nothing
//! here waits, so the host's thread never blocks.
//!
//! Why not the crate `rfd`: it works inside the host's process. On Linux its default backend asks the desktop portal
//! over D-Bus. Up to version 0.16 that starts threads of an async runtime which never end, and a thread that still runs
//! when the host unloads this library crashes the host. Version 0.17 needs the C library libdbus instead. The GTK
//! backend needs a GTK main loop, which most hosts do not have. A child process leaves nothing behind, and dropping
//! [`FileDialog`] ends it.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// An existing file.
    Open,
    /// One or more existing files.
    OpenSeveral,
    /// An existing folder.
    Folder,
    /// A file to write.
    Save,
}

/// Where dialogs come from.
#[derive(Clone, Debug, Default)]
pub enum Dialogs {
    /// The platform's: zenity or kdialog on Linux, `osascript` on macOS, PowerShell on Windows.
    #[default]
    Platform,
    /// This program with these arguments; it must print the path. For tests and unusual desktops.
    Program(OsString, Vec<OsString>),
}

/// Longest answer that is read, in bytes: as much as the buffer of a pipe holds on Linux.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// How a dialog ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A file was chosen.
    Chosen(PathBuf),
    /// Several files were chosen.
    ChosenSeveral(Vec<PathBuf>),
    /// The dialog was closed without one.
    Cancelled,
}

/// Why no dialog could be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialogError {
    /// None of the programs that can show one is installed.
    #[error("No file dialog was found ({tried}). Type the path instead.")]
    NotFound {
        /// The programs that were tried.
        tried: String,
    },
    /// A program was found, but could not be started.
    #[error("The file dialog {program} could not be started: {source}. Type the path instead.")]
    NotStarted {
        /// The program.
        program: String,
        /// The error of the system.
        source: std::io::Error,
    },
}

/// A dialog on the screen. Dropping it closes it.
#[derive(Debug)]
pub struct FileDialog {
    child: Child,
    /// Whether the dialog prints a path per line.
    is_several: bool,
}

impl FileDialog {
    /// Starts a dialog with a title; `suggested` is the path that a save dialog starts with.
    ///
    /// # Errors
    /// When no program that shows a dialog is installed, or when it cannot be started.
    pub fn start(
        dialogs: &Dialogs,
        ask: Ask,
        title: &str,
        suggested: Option<&str>,
    ) -> Result<FileDialog, DialogError> {
        let candidates = match dialogs {
            Dialogs::Platform => platform_commands(ask, title, suggested),
            Dialogs::Program(program, arguments) => {
                let mut command = Command::new(program);
                command.args(arguments);
                vec![command]
            }
        };
        let mut tried = Vec::new();
        for mut command in candidates {
            let program = command.get_program().to_string_lossy().into_owned();
            match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
                Ok(child) => return Ok(FileDialog { child, is_several: ask == Ask::OpenSeveral }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => tried.push(program),
                Err(source) => return Err(DialogError::NotStarted { program, source }),
            }
        }
        Err(DialogError::NotFound { tried: tried.join(", ") })
    }

    /// How the dialog ended; none while it is open. Never waits.
    pub fn poll(&mut self) -> Option<Outcome> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.success() => Some(self.answer()),
            Ok(Some(_)) | Err(_) => Some(Outcome::Cancelled),
        }
    }

    /// What a finished dialog has printed. A path fits into the buffer of the pipe, so the process never waited for us.
    /// Hundreds of paths may not: then the dialog stays on the screen until it is closed, and nothing is chosen.
    fn answer(&mut self) -> Outcome {
        let mut printed = Vec::new();
        if let Some(output) = &mut self.child.stdout {
            let _ = output.take(LONGEST_ANSWER).read_to_end(&mut printed);
        }
        while printed.last().is_some_and(|&byte| byte == b'\n' || byte == b'\r') {
            printed.pop();
        }
        if printed.is_empty() {
            return Outcome::Cancelled;
        }
        if self.is_several {
            let lines =
                printed.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            let paths: Vec<PathBuf> =
                lines.filter(|line| !line.is_empty()).map(|line| path_of(line.to_vec())).collect();
            if paths.len() > 1 {
                return Outcome::ChosenSeveral(paths);
            }
        }
        Outcome::Chosen(path_of(printed))
    }
}

impl Drop for FileDialog {
    fn drop(&mut self) {
        // A killed process ends at once, so waiting for it, which removes it from the process table, is short.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(unix, not(target_os = "macos")))]
fn platform_commands(ask: Ask, title: &str, suggested: Option<&str>) -> Vec<Command> {
    let mut zenity = Command::new("zenity");
    zenity.arg("--file-selection").arg(format!("--title={title}"));
    let mut kdialog = Command::new("kdialog");
    kdialog.arg("--title").arg(title);
    match ask {
        Ask::Open => {
            kdialog.arg("--getopenfilename");
        }
        Ask::OpenSeveral => {
            zenity.args(["--multiple", "--separator=\n"]);
            kdialog.args(["--multiple", "--separate-output", "--getopenfilename"]);
        }
        Ask::Folder => {
            zenity.arg("--directory");
            kdialog.arg("--getexistingdirectory");
        }
        Ask::Save => {
            zenity.args(["--save", "--confirm-overwrite"]);
            if let Some(path) = suggested {
                zenity.arg(format!("--filename={path}"));
            }
            kdialog.arg("--getsavefilename");
        }
    }
    kdialog.arg(suggested.unwrap_or("."));
    vec![zenity, kdialog]
}

#[cfg(target_os = "macos")]
fn platform_commands(ask: Ask, title: &str, suggested: Option<&str>) -> Vec<Command> {
    // Title and path are arguments of the script, so nothing in them can run as code.
    let script = match ask {
        Ask::Open => "POSIX path of (choose file with prompt (item 1 of argv))",
        Ask::Folder => "POSIX path of (choose folder with prompt (item 1 of argv))",
        Ask::OpenSeveral => {
            "set paths to \"\"\nrepeat with chosen in (choose file with prompt (item 1 of argv) with multiple selections \
             allowed)\nset paths to paths & POSIX path of chosen & linefeed\nend repeat\npaths"
        }
        Ask::Save => {
            "POSIX path of (choose file name with prompt (item 1 of argv) default name (item 2 of argv))"
        }
    };
    let name = suggested.map_or("", |path| path.rsplit('/').next().unwrap_or(path));
    let mut osascript = Command::new("osascript");
    osascript.args(["-e", "on run argv", "-e", script, "-e", "end run", title, name]);
    vec![osascript]
}

#[cfg(windows)]
fn platform_commands(ask: Ask, title: &str, suggested: Option<&str>) -> Vec<Command> {
    use std::os::windows::process::CommandExt;
    /// Keeps a console window from appearing: `CREATE_NO_WINDOW` of `CreateProcess`.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    // Title and path are in the child's environment, so nothing in them can run as code.
    let (dialog, prepare, answer) = match ask {
        Ask::Open => ("OpenFileDialog", FILE_DIALOG, "$d.FileName"),
        Ask::OpenSeveral => ("OpenFileDialog", SEVERAL_DIALOG, "($d.FileNames -join \"`n\")"),
        Ask::Folder => ("FolderBrowserDialog", FOLDER_DIALOG, "$d.SelectedPath"),
        Ask::Save => ("SaveFileDialog", FILE_DIALOG, "$d.FileName"),
    };
    const FILE_DIALOG: &str = "$d.Title = $env:MIXING_BUDDY_TITLE; $d.FileName = $env:MIXING_BUDDY_FILE;";
    const SEVERAL_DIALOG: &str = "$d.Title = $env:MIXING_BUDDY_TITLE; $d.Multiselect = $true;";
    const FOLDER_DIALOG: &str = "$d.Description = $env:MIXING_BUDDY_TITLE;";
    let script = format!(
        "[Console]::OutputEncoding = [Text.Encoding]::UTF8; Add-Type -AssemblyName System.Windows.Forms; \
         $d = New-Object System.Windows.Forms.{dialog}; {prepare} \
         if ($d.ShowDialog() -eq 'OK') {{ [Console]::Out.Write({answer}) }} else {{ exit 1 }}"
    );
    let mut powershell = Command::new("powershell");
    powershell
        .args(["-NoProfile", "-STA", "-Command", &script])
        .env("MIXING_BUDDY_TITLE", title)
        .env("MIXING_BUDDY_FILE", suggested.unwrap_or(""))
        .creation_flags(CREATE_NO_WINDOW);
    vec![powershell]
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn shell(script: &str) -> Dialogs {
        Dialogs::Program("/bin/sh".into(), vec!["-c".into(), script.into()])
    }

    fn wait(dialog: &mut FileDialog) -> Outcome {
        let started = Instant::now();
        loop {
            if let Some(outcome) = dialog.poll() {
                return outcome;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "the dialog never ended");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn returns_the_chosen_path() {
        let dialogs = shell("echo '/music/a song.wav'");
        let mut dialog = FileDialog::start(&dialogs, Ask::Open, "Choose", None).expect("sh is installed");
        assert_eq!(wait(&mut dialog), Outcome::Chosen("/music/a song.wav".into()));
    }

    #[test]
    fn returns_several_paths_where_several_were_asked_for() {
        let dialogs = shell("printf '/a b.wav\\n/c.wav\\r\\n'");
        let mut dialog =
            FileDialog::start(&dialogs, Ask::OpenSeveral, "Choose", None).expect("sh is installed");
        assert_eq!(wait(&mut dialog), Outcome::ChosenSeveral(vec!["/a b.wav".into(), "/c.wav".into()]));
    }

    #[test]
    fn a_failure_or_an_empty_answer_counts_as_cancelled() {
        for script in ["echo /a; exit 1", "exit 0"] {
            let mut dialog =
                FileDialog::start(&shell(script), Ask::Open, "Choose", None).expect("sh is installed");
            assert_eq!(wait(&mut dialog), Outcome::Cancelled, "{script}");
        }
    }

    #[test]
    fn an_open_dialog_does_not_block_and_ends_when_dropped() {
        let started = Instant::now();
        let mut dialog =
            FileDialog::start(&shell("exec sleep 60"), Ask::Open, "Choose", None).expect("sh is installed");
        assert_eq!(dialog.poll(), None);
        let id = dialog.child.id();
        drop(dialog);
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "start, poll and drop took {:?}",
            started.elapsed()
        );
        assert!(!PathBuf::from(format!("/proc/{id}")).exists() || cfg!(not(target_os = "linux")));
    }

    #[test]
    fn the_error_names_the_programs_that_were_tried() {
        let dialogs = Dialogs::Program("no-such-dialog-program".into(), Vec::new());
        let error = FileDialog::start(&dialogs, Ask::Open, "Choose", None).expect_err("no such program");
        assert_eq!(
            error.to_string(),
            "No file dialog was found (no-such-dialog-program). Type the path instead."
        );
    }
}
