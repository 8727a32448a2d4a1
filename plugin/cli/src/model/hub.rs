//! Requests to the hub, and why it refuses them.
//!
//! `hf-hub` knows the layout of the folder ([`super::store`]). Its transfer is not used: it checks no checksum, cannot be
//! stopped, has no timeouts, and does not say why the hub refuses.

use super::catalogue::Address;
use super::settings::HubSettings;
use serde_json::Value;
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::{Agent, Body};
use url::Url;

/// Longest time to find the hub and to connect, each.
const CONNECT: Duration = Duration::from_secs(20);
/// Longest time without a byte.
const SILENCE: Duration = Duration::from_secs(30);
/// Most redirects of a request.
const REDIRECTS: usize = 10;
/// Longest answer about a repository in bytes.
const LONGEST_ANSWER: u64 = 4 << 20;
/// Longest wait that the hub may ask for.
const LONGEST_WAIT: u64 = 60;

/// Why a request gave nothing. Each text is a sentence without its full stop.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Nobody answers: no network, a wrong address, or a server that is down.
    #[error("{0}")]
    Unreachable(String),
    /// The answer broke off, or the server has too much to do: it may work the next time.
    #[error("{reason}")]
    Broken {
        /// What happened.
        reason: String,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
    /// The answer is no.
    #[error("{0}")]
    Refused(String),
}

impl HubError {
    fn broken(reason: impl Into<String>) -> Self {
        HubError::Broken { reason: reason.into(), wait: None }
    }
}

/// What the hub says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Commit of the repository.
    pub commit: String,
    /// SHA-256 of the content, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Size of the content.
    pub size_bytes: u64,
    /// Where to ask for the content of this commit.
    pub url: Url,
}

/// Content that begins to arrive.
pub struct Opened {
    /// The place in the file of the first byte: the one that was asked for, or 0 from a server that cannot resume.
    pub start: u64,
    /// The bytes.
    pub reader: Box<dyn Read + Send>,
}

/// A connection to the hub.
#[derive(Clone)]
pub struct Hub {
    agent: Agent,
    endpoint: Url,
    token: Option<String>,
}

impl Hub {
    /// A connection with these settings. Sends nothing yet.
    pub fn new(settings: &HubSettings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .user_agent(concat!("mixing-buddy/", env!("CARGO_PKG_VERSION")))
            .build();
        Hub { agent: config.new_agent(), endpoint: settings.endpoint.clone(), token: settings.token.clone() }
    }

    /// Commit, checksum and size of a file, from the head of the newest commit.
    ///
    /// # Errors
    /// When the hub cannot be reached, refuses, or gives no checksum.
    pub fn describe(&self, address: &Address) -> Result<Remote, HubError> {
        let place = |revision: &str| {
            let path = format!("{}/resolve/{revision}/{}", address.repository, address.file);
            self.endpoint.join(&path).map_err(|cause| HubError::Refused(format!("{path}: {cause}")))
        };
        // A redirect to the content's server is the hub's answer; one without a commit leads to a renamed repository.
        let is_answer = |response: &Response<Body>| response.headers().contains_key("x-repo-commit");
        let (response, from) = self.send(Method::HEAD, &place("main")?, None, is_answer)?;
        if !is_answer(&response) && !response.status().is_success() {
            return Err(self.refusal(address, &from, &response));
        }
        let text = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(|value| value.trim_start_matches("W/").trim_matches('"').to_string())
        };
        let lacks = |what: &str| {
            HubError::Refused(format!("{} does not say the {what} of {}", name_of(&from), address.file))
        };
        let commit =
            text("x-repo-commit").filter(|commit| is_hexadecimal(commit)).ok_or_else(|| lacks("commit"))?;
        let sha256 = text("x-linked-etag").or_else(|| text("etag")).map(|tag| tag.to_lowercase());
        let sha256 =
            sha256.filter(|sum| sum.len() == 64 && is_hexadecimal(sum)).ok_or_else(|| lacks("SHA-256"))?;
        // The length of a redirect is that of its own text.
        let length = || text("content-length").filter(|_| response.status().is_success());
        let size = text("x-linked-size").or_else(length).and_then(|size| size.parse().ok());
        let size_bytes = size.filter(|size| *size > 0).ok_or_else(|| lacks("size"))?;
        Ok(Remote { url: place(&commit)?, commit, sha256, size_bytes })
    }

    /// The licence that a repository states; none if it cannot be learned.
    pub fn licence(&self, address: &Address) -> Option<String> {
        let url = self.endpoint.join(&format!("api/models/{}", address.repository)).ok()?;
        let (response, _) = self.send(Method::GET, &url, None, |_| false).ok()?;
        let body = response.status().is_success().then(|| response.into_body())?;
        let about: Value = body.into_with_config().limit(LONGEST_ANSWER).read_json().ok()?;
        let stated = about["cardData"]["license"].as_str().map(String::from);
        let tag = || {
            let tags = about["tags"].as_array()?;
            tags.iter().find_map(|tag| tag.as_str()?.strip_prefix("license:")).map(String::from)
        };
        // Printed on a terminal.
        stated.or_else(tag).map(|licence| licence.chars().filter(|c| !c.is_control()).take(80).collect())
    }

    /// Asks for content from a byte on.
    ///
    /// # Errors
    /// When the hub cannot be reached or refuses, or the server sends content of another size.
    pub fn open(&self, address: &Address, remote: &Remote, start: u64) -> Result<Opened, HubError> {
        let (response, from) = self.send(Method::GET, &remote.url, Some(start), |_| false)?;
        let size = remote.size_bytes;
        let start = match response.status() {
            StatusCode::OK => {
                if let Some(length) = response.body().content_length()
                    && length != size
                {
                    return Err(other_size(&from, length, size));
                }
                0
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
                match range.and_then(parse_range) {
                    Some((first, None)) if first == start => start,
                    Some((first, Some(total))) if first == start && total == size => start,
                    Some((_, Some(total))) if total != size => return Err(other_size(&from, total, size)),
                    _ => {
                        return Err(HubError::broken(format!(
                            "{} sends another part than asked",
                            name_of(&from)
                        )));
                    }
                }
            }
            _ => return Err(self.refusal(address, &from, &response)),
        };
        Ok(Opened { start, reader: Box::new(response.into_body().into_reader()) })
    }

    /// Sends a request and follows redirects, also relative ones, until `is_answer` or one that is none. The token goes to
    /// the hub alone, and no redirect leads from https to http. Returns the answer and where it came from.
    fn send(
        &self,
        method: Method,
        url: &Url,
        start: Option<u64>,
        is_answer: impl Fn(&Response<Body>) -> bool,
    ) -> Result<(Response<Body>, Url), HubError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            // Compressed content would have another checksum and other places.
            let mut request = Request::builder()
                .method(method.clone())
                .uri(url.as_str())
                .header("accept-encoding", "identity");
            if let Some(start) = start {
                request = request.header("range", format!("bytes={start}-"));
            }
            if let Some(token) = self.token.as_ref().filter(|_| self.is_hub(&url)) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let request = request.body(()).map_err(|cause| {
                // The cause does not repeat the token.
                HubError::Refused(format!("a request to {} cannot be made: {cause}", name_of(&url)))
            })?;
            let response = self.agent.run(request).map_err(|cause| failure(&url, &cause))?;
            if !response.status().is_redirection() || is_answer(&response) {
                return Ok((response, url));
            }
            let location = response.headers().get("location").and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok()).filter(|next| {
                next.has_host()
                    && (next.scheme() == "https" || (next.scheme() == "http" && url.scheme() == "http"))
            });
            url = next.ok_or_else(|| {
                let to = location.unwrap_or("nowhere");
                HubError::Refused(format!("{} redirects to {to}, which cannot be followed", name_of(&url)))
            })?;
        }
        Err(HubError::Refused(format!("{} redirects more than {REDIRECTS} times", name_of(&url))))
    }

    fn is_hub(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// Why the hub, or the server that it names, says no.
    fn refusal(&self, address: &Address, from: &Url, response: &Response<Body>) -> HubError {
        let (status, host, repository) = (response.status(), name_of(from), &address.repository);
        let code = header(response.headers(), "x-error-code").unwrap_or_default();
        let page = self.endpoint.join(repository).map_or_else(|_| repository.clone(), String::from);
        let login = match self.token {
            Some(_) => "The token that was sent is not accepted, or its account may not read it",
            None => "If it is private, set HF_TOKEN to a token of your account",
        };
        let number = status.as_u16();
        match (number, code.as_str()) {
            _ if !self.is_hub(from) && matches!(number, 401 | 403) => {
                // A signed address that has run out; the next request gets a new one.
                HubError::broken(format!("{host} does not accept the hub's address any longer ({number})"))
            }
            (401 | 403, "GatedRepo") => HubError::Refused(format!(
                "{host} gives {repository} only to accounts that accept its terms ({number}); accept them at {page}, \
                 then set HF_TOKEN to a token of this account"
            )),
            (401 | 404, "RepoNotFound") | (401, _) => HubError::Refused(format!(
                "{host} has no repository {repository}, or does not show it ({number}). {login}"
            )),
            (403, _) => HubError::Refused(format!("{host} refuses access to {repository} (403). {login}")),
            (404, "EntryNotFound" | "") => {
                HubError::Refused(format!("{host} has no file {} in {repository} (404)", address.file))
            }
            (404, other) => {
                HubError::Refused(format!("{host} does not find {} (404, {other})", address.name))
            }
            (408 | 429 | 500..=599, _) => HubError::Broken {
                reason: format!("{host} has trouble or too much to do ({status})"),
                wait: header(response.headers(), "retry-after")
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_WAIT))),
            },
            _ => HubError::Refused(format!("{host} answers {status} to the request for {}", address.name)),
        }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(String::from)
}

/// Host and port, for messages. Never the whole address: a signed one is a secret.
fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the hub");
    url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn other_size(from: &Url, found: u64, expected: u64) -> HubError {
    HubError::Refused(format!("{} sends a file of {found} bytes, not of {expected}", name_of(from)))
}

/// First byte and size of `bytes 5-9/10`; no size where it is `*`.
fn parse_range(range: &str) -> Option<(u64, Option<u64>)> {
    let (places, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = places.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((first.parse().ok()?, total))
}

/// Whether a name was not found. The standard library has no kind for it: on Unix only its words tell it (`std::sys`, lookup of
/// hosts), on Windows the system's number WSAHOST_NOT_FOUND or WSANO_DATA.
fn is_lookup_failure(io: &std::io::Error) -> bool {
    matches!(io.raw_os_error(), Some(11_001 | 11_004))
        || io.to_string().starts_with("failed to lookup address information")
}

fn failure(url: &Url, cause: &ureq::Error) -> HubError {
    use std::io::ErrorKind;
    use ureq::{Error, Timeout};
    let host = name_of(url);
    let unreachable = |why: &str| {
        HubError::Unreachable(format!("{host} cannot be reached: {why}. Is this computer online?"))
    };
    match cause {
        Error::HostNotFound => unreachable("no such host is found"),
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => unreachable("it does not answer"),
        Error::ConnectionFailed => unreachable("no connection is made"),
        Error::Io(io) if is_lookup_failure(io) => unreachable("no such host is found"),
        Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused => unreachable("it refuses the connection"),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
                unreachable("there is no way to it")
            }
            _ => HubError::broken(format!("the connection to {host} broke: {io}")),
        },
        Error::Timeout(_) => HubError::broken(format!("{host} fell silent")),
        other => HubError::broken(format!("the connection to {host} broke: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_with_and_without_a_size() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 0-9/*"), Some((0, None)));
        for wrong in ["", "bytes", "bytes 5-9", "bytes x-9/10", "bytes 5-9/x", "lines 5-9/10"] {
            assert_eq!(parse_range(wrong), None, "{wrong}");
        }
    }
}
