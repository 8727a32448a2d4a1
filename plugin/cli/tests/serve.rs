//! `mixing-buddy serve` as a user runs it: it says where it is, ends when asked to, and cleans up after one that was killed.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(temporary: &Path) -> Serving {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mixing-buddy"))
            .args(["serve", "--bind", "127.0.0.1:0", "--workers", "1", "--temporary"])
            .arg(temporary)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("{line}")).to_string();
        Serving { child, address }
    }

    /// Sends a request and returns the answer.
    fn ask(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Uploads a song that takes a while.
    fn upload(&self) {
        let mut song = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut song, spec).unwrap();
        for n in 0..8_000 * 600 {
            writer.write_sample(((n as f32 * 0.3).sin() * 8_000.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let mut body =
            b"--b\r\nContent-Disposition: form-data; name=\"song\"; filename=\"a.wav\"\r\n\r\n".to_vec();
        body.extend(song.into_inner());
        body.extend(b"\r\n--b--\r\n");
        let mut request = format!(
            "POST /api/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        let answer = self.ask(&request);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }

    fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Files below a folder, but for locks.
fn files(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { files(&path) } else { usize::from(!path.ends_with("lock")) }).sum()
}

#[test]
fn uploads_of_a_killed_server_are_removed_by_the_next_and_a_signal_ends_it_in_order() {
    let temporary = tempfile::tempdir().unwrap();
    let mut killed = Serving::start(temporary.path());
    killed.upload();
    assert_eq!(files(temporary.path()), 1);
    killed.signal("KILL");
    killed.child.wait().unwrap();
    assert_eq!(files(temporary.path()), 1, "nobody could clean up");

    let mut next = Serving::start(temporary.path());
    assert_eq!(files(temporary.path()), 0);
    let page = next.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>MixingBuddy</title>"), "{page}");
    next.upload();
    let begun = Instant::now();
    next.signal("TERM");
    let status = next.child.wait().unwrap();
    assert!(
        status.success() && begun.elapsed() < Duration::from_secs(5),
        "{status} after {:?}",
        begun.elapsed()
    );
    assert_eq!(files(temporary.path()), 0);
    let mut said = String::new();
    next.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "Stopped.\n");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (args, word) in [
        (["--bind", "somewhere"], "--bind"),
        (["--workers", "0"], "--workers"),
        (["--most-minutes", "0"], "--most-minutes"),
        (["--embed-in", "https://a; script-src *"], "--embed-in"),
        (["--bundle", "/missing/model"], "/missing/model"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_mixing-buddy")).arg("serve").args(args).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(word), "{args:?}: {message}");
    }
}
