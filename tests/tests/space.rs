//! A Space for Hugging Face: what its Dockerfile copies is all that the page needs, tried in a system that has nothing else.
#![cfg(target_os = "linux")]

use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_tests::{bundle, prerequisite};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Libraries of the image that the Dockerfile starts from.
const LIBRARIES: [&str; 5] = ["libc.so", "libm.so", "libgcc_s.so", "ld-linux", "linux-vdso"];

fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_mixing-buddy-listen")).with_file_name("mixing-buddy")
}

fn space(out: &Path) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(bundle::workspace())
        .args(["run", "--quiet", "--package", "xtask", "--", "space", "--program"])
        .arg(program())
        .arg("--out")
        .arg(out);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

/// Copies the libraries that a program loads into a system of its own, and refuses those that its image has not.
fn copy_libraries(program: &Path, system: &Path) -> Result<()> {
    let output = Command::new("ldd").arg(program).output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let known = LIBRARIES.iter().any(|name| line.contains(name));
        ensure!(known, "the image has no such library: {line}");
        let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')) else { continue };
        let to = system.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().context("a folder of libraries")?)?;
        std::fs::copy(path, to)?;
    }
    Ok(())
}

/// Does what the lines `COPY` of the Dockerfile say, and returns its `CMD`.
fn follow(folder: &Path, system: &Path) -> Result<Vec<String>> {
    let mut command = None;
    for line in std::fs::read_to_string(folder.join("Dockerfile"))?.lines() {
        if let Some(rest) = line.strip_prefix("COPY ") {
            let mut words = rest.split(' ').filter(|word| !word.starts_with("--"));
            let (from, to) =
                (words.next().context("COPY names a file")?, words.next().context("and a place")?);
            let to = system.join(to.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().context("a folder")?)?;
            let copied = Command::new("cp").arg("-r").arg(folder.join(from)).arg(&to).status()?;
            ensure!(copied.success(), "{line}");
        } else if let Some(rest) = line.strip_prefix("CMD ") {
            command = Some(serde_json::from_str(rest)?);
        }
    }
    command.context("the Dockerfile has no CMD")
}

struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_space_serves_the_page_in_a_system_that_has_nothing_else() -> Result<()> {
    if !program().exists() {
        prerequisite::missing("the program mixing-buddy; the tests of the whole workspace build it");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (out, system) = (folder.path().join("space"), folder.path().join("system"));
    space(&out)?;
    let readme = std::fs::read_to_string(out.join("README.md"))?;
    assert!(readme.starts_with("---\n") && readme.contains("\nsdk: docker\napp_port: 7860\n"), "{readme}");
    assert!(!readme.contains('{'), "a place that is not filled: {readme}");
    assert!(out.join("licences/LIBRARIES.txt").exists());

    std::fs::create_dir_all(system.join("tmp"))?;
    let command = follow(&out, &system)?;
    let started = system.join(command[0].trim_start_matches('/'));
    copy_libraries(&started, &system)?;
    // A free port of this computer in the place of the Space's.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let args: Vec<String> =
        command.iter().map(|word| word.replace("0.0.0.0:7860", &format!("127.0.0.1:{port}"))).collect();
    assert_ne!(args, command, "the page is served at the Space's port");
    // As root alone may change the root, and who is none becomes it in a namespace.
    let mut chroot = Command::new("unshare");
    chroot.args(["--user", "--map-root-user", "chroot"]);
    // SAFETY: it reads a number of the process and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    let mut server = if is_root { Command::new("chroot") } else { chroot };
    let server = server
        .arg(&system)
        .args(&args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut server = Stopped(server.context("chroot cannot be started")?);

    let begun = Instant::now();
    let page = loop {
        if let Ok(page) = get(port, "/") {
            break page;
        }
        if let Some(status) = server.0.try_wait()? {
            let mut said = String::new();
            server.0.stderr.take().context("its words")?.read_to_string(&mut said)?;
            if said.contains("Operation not permitted") {
                // As for a kernel without seccomp: nothing can be installed against it.
                eprintln!("skipped: this system lets nobody change the root");
                return Ok(());
            }
            bail!("the server ended: {status}: {said}");
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "the page does not come");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("frame-ancestors https://huggingface.co"), "{page}");
    assert!(get(port, "/api/info")?.contains("\"compact "));

    std::fs::write(folder.path().join("mine.txt"), "mine")?;
    let sentence = space(folder.path()).unwrap_err().to_string();
    assert!(sentence.contains("holds other files"), "{sentence}");
    Ok(())
}
