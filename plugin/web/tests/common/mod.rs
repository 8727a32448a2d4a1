//! A real server on a loopback port, songs for it, and a small client.

#![allow(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use mixing_buddy_core::audio::{StereoPcm, decode_file};
use mixing_buddy_core::{CancelFlag, Engine};
use mixing_buddy_web::{Server, Settings};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The shipped model, loaded once.
pub fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    Arc::clone(ENGINE.get_or_init(|| Arc::new(Engine::open(None, &CancelFlag::new()).unwrap())))
}

/// A server and its folder of temporary files.
pub struct Running {
    pub server: Server,
    pub temporary: tempfile::TempDir,
}

/// Starts a server on a free port, with settings changed by `change`.
pub fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let temporary = tempfile::tempdir().unwrap();
    let mut settings = Settings {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        workers: 2,
        temporary: temporary.path().to_path_buf(),
        uploads_per_minute: 0,
        ..Settings::default()
    };
    change(&mut settings);
    Running { server: Server::start(engine(), settings).unwrap(), temporary }
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The sentence of a problem with this status.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.json()["detail"].as_str().unwrap().to_string()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(60))).build().into()
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    fn read(answer: ureq::http::Response<ureq::Body>) -> Reply {
        let (parts, mut body) = answer.into_parts();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.with_config().limit(1 << 30).read_to_vec().unwrap(),
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::read(request.call().unwrap())
    }

    pub fn delete(&self, path: &str) -> Reply {
        Self::read(agent().delete(self.url(path)).call().unwrap())
    }

    pub fn post(&self, path: &str, kind: &str, body: &[u8], headers: &[(&str, &str)]) -> Reply {
        let mut request = agent().post(self.url(path)).header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::read(request.send(body).unwrap())
    }

    pub fn ask(&self, id: &str, question: &Value) -> Reply {
        let path = format!("/api/jobs/{id}/questions");
        self.post(&path, "application/json", question.to_string().as_bytes(), &[])
    }

    /// Uploads fields: name, name of a file, bytes.
    pub fn upload(&self, fields: &[(&str, Option<&str>, &[u8])]) -> Reply {
        self.upload_from(fields, &[])
    }

    pub fn upload_from(&self, fields: &[(&str, Option<&str>, &[u8])], headers: &[(&str, &str)]) -> Reply {
        self.post("/api/jobs", FORM, &form(fields), headers)
    }

    /// Uploads a song and returns its name at the server.
    pub fn send(&self, song: &[u8]) -> String {
        let reply = self.upload(&[("song", Some("song.wav"), song)]);
        assert_eq!(reply.status, 202, "{}", reply.text());
        let id = reply.json()["id"].as_str().unwrap().to_string();
        assert_eq!(reply.header("location"), format!("/api/jobs/{id}"));
        id
    }

    pub fn state(&self, id: &str) -> Value {
        self.get(&format!("/api/jobs/{id}")).json()
    }

    /// All events of a song, to their end: kind, id, data.
    pub fn events(&self, id: &str, last: Option<usize>) -> Vec<(String, Option<usize>, Value)> {
        let mut stream = self.listen(id, last);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        parse_events(&text)
    }

    /// The body of the events, as it comes.
    pub fn listen(&self, id: &str, last: Option<usize>) -> BufReader<impl Read + use<>> {
        let mut request = agent().get(self.url(&format!("/api/jobs/{id}/events")));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        BufReader::new(answer.into_body().into_reader())
    }

    /// Waits until a song has ended.
    pub fn wait_for_end(&self, id: &str) -> Value {
        self.events(id, None);
        self.state(id)
    }

    /// A plain connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Files of clients that are on the disk now.
    pub fn files(&self) -> usize {
        files_below(self.server.folder())
    }
}

/// Files below a folder, without locks.
pub fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .map(|path| if path.is_dir() { files_below(&path) } else { usize::from(!path.ends_with("lock")) })
        .sum()
}

/// The events in a text.
pub fn parse_events(text: &str) -> Vec<(String, Option<usize>, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().to_string()))
    };
    blocks
        .map(|block| {
            let id = field(block, "id:").map(|id| id.parse().unwrap());
            let data = serde_json::from_str(&field(block, "data:").unwrap()).unwrap();
            (field(block, "event:").unwrap(), id, data)
        })
        .collect()
}

/// Reads lines of events until one contains a text.
pub fn read_until(stream: &mut impl BufRead, wanted: &str) {
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the events end before {wanted}");
    }
}

pub const FORM: &str = "multipart/form-data; boundary=a-border";

/// The body of a form.
pub fn form(fields: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in fields {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        write!(body, "--a-border\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").unwrap();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--a-border--\r\n");
    body
}

/// A WAV file in 16 bits.
pub fn wav(sound: &StereoPcm) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: sound.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for (left, right) in sound.left.iter().zip(&sound.right) {
        for sample in [left, right] {
            writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// The demo song with its drums 6 dB too loud, again and again, cut to so many seconds.
pub fn demo(seconds: f64) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo");
    let mut mix = StereoPcm::default();
    for (stem, gain) in [("vocals", 0.5), ("drums", 1.0), ("bass", 0.5), ("other", 0.5)] {
        let mut sound = decode_file(&folder.join(format!("{stem}.ogg")), &CancelFlag::new()).unwrap();
        sound.left.iter_mut().chain(&mut sound.right).for_each(|sample| *sample *= gain);
        if mix.is_empty() {
            mix = StereoPcm::silence(sound.len(), sound.sample_rate_hz);
        }
        mix.pad_to(sound.len());
        sound.pad_to(mix.len());
        mix.add(&sound).unwrap();
    }
    let frames = (seconds * f64::from(mix.sample_rate_hz)) as usize;
    for channel in [&mut mix.left, &mut mix.right] {
        *channel = channel.iter().copied().cycle().take(frames).collect();
    }
    wav(&mix)
}

/// Tones and a click track of so many seconds at 8 kHz: quickly sent and read.
pub fn tones(seconds: u32) -> Vec<u8> {
    let tone = |n: u32, hz: f32| (std::f32::consts::TAU * hz * n as f32 / 8000.0).sin();
    let click = |n: u32| if n % 4000 < 160 { tone(n, 3111.0) } else { 0.0 };
    let channel: Vec<f32> =
        (0..8000 * seconds).map(|n| 0.2 * tone(n, 82.4) + 0.1 * tone(n, 440.0) + 0.3 * click(n)).collect();
    wav(&StereoPcm::new(channel.clone(), channel, 8000).unwrap())
}

/// Waits until something is true.
pub fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
