//! The trainer under `mpirun`, and networks for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics with the reason")]

use super::cli::Place;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const TRAINER: &str = env!("CARGO_BIN_EXE_mixing-buddy-trainer");
/// More ranks than cores, and tests that run as root in a container, are no mistakes here.
const PERMITTED: [&str; 2] = ["--allow-run-as-root", "--oversubscribe"];

/// `mpirun` for so many ranks of the trainer.
pub fn mpirun(count: usize, args: &[String]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(PERMITTED).args(["-n", &count.to_string(), TRAINER]).args(args);
    // By default a rank has one second to say where it was, which is not enough where ranks share processors.
    command.env("OMPI_MCA_odls_base_sigkill_timeout", "10");
    command.env("RAYON_NUM_THREADS", "1");
    command
}

/// Ranks with different arguments: one rank for each list.
pub fn unlike_ranks(each: &[Vec<String>]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(PERMITTED);
    for (at, args) in each.iter().enumerate() {
        if at > 0 {
            command.arg(":");
        }
        command.args(["-n", "1", TRAINER]).args(args);
    }
    command.env("RAYON_NUM_THREADS", "1");
    command
}

/// Runs to the end; returns its error output where it failed.
pub fn finish(mut command: Command) -> Result<(), String> {
    let done: Output = command.output().unwrap();
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// The process that is this rank of the run in the folder `out`.
pub fn process_of(out: &Path, rank: usize) -> Option<u32> {
    let (out, rank) = (out.to_str().unwrap(), format!("\0OMPI_COMM_WORLD_RANK={rank}\0"));
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let text = |name: &str| -> Option<String> {
            Some(String::from_utf8_lossy(&std::fs::read(entry.path().join(name)).ok()?).into_owned())
        };
        // The launcher's command line names the folder too.
        let is_it = text("cmdline")?.starts_with(TRAINER) && text("cmdline")?.contains(out);
        (is_it && format!("\0{}\0", text("environ")?).contains(&rank)).then_some(id)
    })
}

/// Ends a process at once: it cannot clean up.
pub fn kill(process: u32) {
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
}

/// Waits until something is there.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no {what} after two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Two hosts with a cable between them: network namespaces with names of their own.
pub struct TwoHosts {
    names: [String; 2],
    agent: PathBuf,
}

const ADDRESSES: [&str; 2] = ["10.77.33.1", "10.77.33.2"];

fn ip(args: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(args).output().map_err(|error| error.to_string())?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

impl TwoHosts {
    /// Makes them. The error says why they are not permitted here.
    pub fn new(place: &Place) -> Result<Self, String> {
        let names = ["a", "b"].map(|side| format!("mb{}{side}", std::process::id()));
        let agent = PathBuf::from(place.write(
            "agent.sh",
            // The name of the host comes first, then the command. Open MPI tells hosts apart by their names.
            &format!(
                "#!/bin/sh\nshift\nexec ip netns exec {0} unshare --uts sh -c \"hostname {0} && $*\"\n",
                names[1]
            ),
        ));
        Command::new("chmod").args(["+x", place.path("agent.sh").to_str().unwrap()]).status().unwrap();
        let hosts = TwoHosts { names, agent };
        let [a, b] = [hosts.names[0].as_str(), hosts.names[1].as_str()];
        ip(&["netns", "add", a])?;
        ip(&["netns", "add", b])?;
        ip(&["link", "add", a, "netns", a, "type", "veth", "peer", "name", b, "netns", b])?;
        for (name, address) in hosts.names.iter().zip(ADDRESSES) {
            ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", name])?;
            ip(&["-n", name, "link", "set", name, "up"])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        let renamed = Command::new("unshare").args(["--uts", "hostname", a]).output();
        match renamed {
            Ok(done) if done.status.success() => Ok(hosts),
            _ => Err("a namespace of host names cannot be made".into()),
        }
    }

    /// The names of the hosts, in the order of their ranks.
    pub fn names(&self) -> &[String; 2] {
        &self.names
    }

    /// `mpirun` on the first host for one rank on each, over TCP.
    pub fn mpirun(&self, args: &[String]) -> Command {
        let mut command = Command::new("ip");
        let first = self.names[0].as_str();
        command.args(["netns", "exec", first, "unshare", "--uts", "sh", "-c"]);
        command.args(["hostname \"$0\" && exec \"$@\"", first, "mpirun"]).args(PERMITTED);
        command.args(["--host", &ADDRESSES.map(|address| format!("{address}:1")).join(","), "-n", "2"]);
        for (key, value) in [
            ("plm_rsh_agent", self.agent.to_str().unwrap()),
            ("btl", "tcp,self"),
            ("btl_tcp_if_include", "10.77.33.0/24"),
            ("oob_tcp_if_include", "10.77.33.0/24"),
        ] {
            command.args(["--mca", key, value]);
        }
        command.args(["-x", "RAYON_NUM_THREADS", TRAINER]).args(args).env("RAYON_NUM_THREADS", "1");
        command
    }
}

impl Drop for TwoHosts {
    fn drop(&mut self) {
        for name in &self.names {
            // One that was not made cannot be removed.
            let _ = ip(&["netns", "del", name]);
        }
    }
}
