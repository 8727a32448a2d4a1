//! A user's computer: folders of its own, and the program with the hub's variables.

use super::hub::{FILE, FakeHub, NAME, REPOSITORY, sha256};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub struct Computer {
    pub folder: TempDir,
    endpoint: String,
}

/// What a command printed.
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub error: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { ok: output.status.success(), out: text(&output.stdout), error: text(&output.stderr) }
    }

    /// The lines of JSON.
    pub fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The kinds of events, each once where it repeats.
    pub fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> =
            self.events().iter().map(|event| event["event"].as_str().unwrap().to_string()).collect();
        kinds.dedup();
        kinds
    }

    /// Fails unless the command failed with exit code 1 and these words on standard error.
    pub fn refused(&self, words: &[&str]) {
        assert!(!self.ok, "it worked: {}", self.out);
        for word in words {
            assert!(self.error.contains(word), "'{word}' is missing in: {}", self.error);
        }
        assert!(!self.error.contains("panicked"), "{}", self.error);
    }

    pub fn worked(self) -> Self {
        assert!(self.ok, "{}", self.error);
        self
    }
}

impl Computer {
    pub fn new(hub: &FakeHub) -> Self {
        Self::at(&hub.endpoint)
    }

    pub fn at(endpoint: &str) -> Self {
        Computer { folder: tempfile::tempdir().unwrap(), endpoint: endpoint.into() }
    }

    /// `mixing-buddy model …`.
    pub fn command(&self, args: &[&str]) -> Command {
        let all: Vec<&str> = ["model"].iter().chain(args).copied().collect();
        self.program(&all)
    }

    /// `mixing-buddy …`.
    pub fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mixing-buddy"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text.starts_with("hf_") || text.starts_with("hugging") || text.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .env("HF_HOME", self.folder.path().join("hf"))
            .env("HF_ENDPOINT", &self.endpoint)
            .env("MIXING_BUDDY_DATA", self.folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.command(args).output().unwrap())
    }

    pub fn fetch(&self) -> Said {
        self.run(&["fetch", NAME, "--yes", "--json"])
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("hf/hub").join(format!("models--{}", REPOSITORY.replace('/', "--")))
    }

    /// Where the content is while it arrives.
    pub fn part(&self, content: &[u8]) -> PathBuf {
        self.repository().join("blobs").join(format!("{}.part", sha256(content)))
    }

    /// Where the content is once it is whole.
    pub fn blob(&self, content: &[u8]) -> PathBuf {
        self.repository().join("blobs").join(sha256(content))
    }

    /// Puts a beginning of the file where an earlier fetch would have left it.
    pub fn leave_part(&self, content: &[u8], part: &[u8]) {
        let path = self.part(content);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, part).unwrap();
    }

    /// The file's place in the hub's folder.
    pub fn pointer(&self, commit: &str) -> PathBuf {
        self.repository().join("snapshots").join(commit).join(FILE)
    }
}
