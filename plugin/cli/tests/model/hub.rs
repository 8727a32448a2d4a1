//! A hub on this computer: an address for questions and another one for content, as the real hub has them.

use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const REPOSITORY: &str = "me/my-model";
pub const FILE: &str = "q8/tiny.gguf";
/// The bundle that the repository has in another story.
pub const BUNDLE: &str = "compact.mixbuddy";
pub const NAME: &str = "me/my-model/q8/tiny.gguf";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Where the content's server has the file.
const CONTENT_PATH: &str = "/content/tiny?signature=secret";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whether it came to the content's server.
    pub is_content: bool,
    pub method: String,
    pub path: String,
    /// First byte of the range that is asked for.
    pub start: Option<usize>,
    pub token: Option<String>,
}

/// An answer.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Closes the connection after so many bytes of the body.
    pub breaks_after: Option<usize>,
    /// Waits after each block of so many bytes.
    pub drip: Option<(usize, Duration)>,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Answer { status, ..Answer::default() }
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }
}

/// Changes the usual answer: the request, how many came to this server before it, the usual answer.
type Change = dyn Fn(&Asked, usize, Answer) -> Answer + Send + Sync;

pub struct FakeHub {
    pub endpoint: String,
    pub content: Vec<u8>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

impl FakeHub {
    /// A hub that has one file.
    pub fn start(content: Vec<u8>) -> Self {
        Self::changed(content, |_, _, answer| answer)
    }

    /// As `start`, with other answers.
    pub fn changed(
        content: Vec<u8>,
        change: impl Fn(&Asked, usize, Answer) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (questions, contents) = (listen(), listen());
        let endpoint = format!("http://{}", questions.local_addr().unwrap());
        let place = format!("http://{}{CONTENT_PATH}", contents.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let change: Arc<Change> = Arc::new(change);
        for (listener, is_content) in [(questions, false), (contents, true)] {
            let (content, place, asked, change) =
                (content.clone(), place.clone(), asked.clone(), change.clone());
            // Ends with the test's process.
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (content, place) = (content.clone(), place.clone());
                    let (asked, change) = (asked.clone(), change.clone());
                    std::thread::spawn(move || serve(stream, is_content, &content, &place, &asked, &*change));
                }
            });
        }
        FakeHub { endpoint, content, asked }
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// First bytes of the ranges that the content's server was asked for.
    pub fn starts(&self) -> Vec<usize> {
        self.asked().iter().filter(|asked| asked.is_content).filter_map(|asked| asked.start).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    is_content: bool,
    content: &[u8],
    place: &str,
    asked: &Mutex<Vec<Asked>>,
    change: &Change,
) {
    let Some(request) = read_request(&stream, is_content) else { return };
    let before = {
        let mut asked = asked.lock().unwrap();
        asked.push(request.clone());
        asked.iter().filter(|earlier| earlier.is_content == is_content).count() - 1
    };
    let answer = change(&request, before, usual(&request, content, place));
    let reason = if answer.status < 400 { "Fine" } else { "No" };
    let mut head = format!("HTTP/1.1 {} {reason}\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !answer.headers.iter().any(|(name, _)| *name == "Content-Length") {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    let mut send = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
    if !send((head + "\r\n").as_bytes()) || request.method == "HEAD" {
        return;
    }
    let body = &answer.body[..answer.breaks_after.unwrap_or(usize::MAX).min(answer.body.len())];
    let (block, pause) = answer.drip.unwrap_or((usize::MAX, Duration::ZERO));
    for block in body.chunks(block) {
        // The client may have gone.
        if !send(block) {
            return;
        }
        std::thread::sleep(pause);
    }
}

fn read_request(stream: &TcpStream, is_content: bool) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(String::from);
    let (method, path) = (words.next()?, words.next()?);
    let mut request = Asked { is_content, method, path, start: None, token: None };
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(request);
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "range" => request.start = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "authorization" => request.token = value.strip_prefix("Bearer ").map(String::from),
            _ => {}
        }
    }
    None
}

/// What the hub answers.
fn usual(request: &Asked, content: &[u8], place: &str) -> Answer {
    if request.is_content {
        let start = request.start.unwrap_or(0);
        let answer = Answer { body: content[start..].to_vec(), ..Answer::status(206) };
        return answer
            .with("Content-Range", format!("bytes {start}-{}/{}", content.len() - 1, content.len()));
    }
    let is_file = ["main", COMMIT].iter().any(|revision| {
        let name = request.path.strip_prefix(&format!("/{REPOSITORY}/resolve/{revision}/"));
        matches!(name, Some(FILE | BUNDLE))
    });
    if is_file {
        return Answer::status(302)
            .with("X-Repo-Commit", COMMIT)
            .with("X-Linked-Etag", format!("\"{}\"", sha256(content)))
            .with("X-Linked-Size", content.len().to_string())
            .with("Location", place);
    }
    if request.path == format!("/api/models/{REPOSITORY}") {
        let body =
            br#"{"id": "me/my-model", "tags": ["gguf", "license:mit"], "cardData": {"license": "mit"}}"#;
        return Answer { body: body.to_vec(), ..Answer::status(200) };
    }
    Answer::status(404).with("X-Error-Code", "RepoNotFound")
}
