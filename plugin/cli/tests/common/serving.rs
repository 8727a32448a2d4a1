//! `mixing-buddy serve` as a child, and requests as bytes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Serving {
    pub child: Child,
    address: String,
}

impl Serving {
    /// Starts it on a free port, with its temporary files in a folder.
    pub fn start(temporary: &Path, more: &[&str]) -> Serving {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mixing-buddy"))
            .args(["serve", "--bind", "127.0.0.1:0", "--model", "compact", "--temporary"])
            .arg(temporary)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| panic!("{line}")).to_string();
        Serving { child, address }
    }

    fn send(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    /// Sends a request and returns the answer.
    pub fn ask(&self, request: &[u8]) -> String {
        let mut answer = String::new();
        self.send(request).read_to_string(&mut answer).unwrap();
        answer
    }

    /// Uploads a song; returns its name at the server.
    pub fn upload(&self, request: &[u8]) -> String {
        let answer = self.ask(request);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        let (_, rest) = answer.split_once("\"id\":\"").unwrap();
        rest[..32].to_string()
    }

    /// Follows a song to its end; `told` gets each line of the events.
    pub fn follow(&self, id: &str, mut told: impl FnMut(&str)) {
        let request =
            format!("GET /api/jobs/{id}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        BufReader::new(self.send(request.as_bytes())).lines().for_each(|line| told(&line.unwrap()));
    }

    /// Resident memory in MB (Linux).
    pub fn memory_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
    }

    pub fn signal(&self, name: &str) {
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

/// The request that uploads a stereo song of so many seconds.
pub fn upload_of(seconds: u32, rate_hz: u32) -> Vec<u8> {
    let mut song = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut song, spec).unwrap();
    for n in 0..rate_hz * seconds {
        let tone = |hz: f32| (std::f32::consts::TAU * hz * n as f32 / rate_hz as f32).sin();
        // A low tone, a high one, and a click twice a second.
        let click = if n % (rate_hz / 2) < rate_hz / 50 { tone(3111.0) } else { 0.0 };
        let sample = (8_000.0 * (0.4 * tone(82.4) + 0.2 * tone(440.0) + 0.4 * click)) as i16;
        writer.write_sample(sample).unwrap();
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    let mut body =
        b"--b\r\nContent-Disposition: form-data; name=\"song\"; filename=\"a.wav\"\r\n\r\n".to_vec();
    body.extend(song.into_inner());
    body.extend(b"\r\n--b--\r\n");
    let mut request = format!(
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    request
}
