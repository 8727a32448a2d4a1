//! A judge behind an OpenAI-compatible endpoint (`POST URL/chat/completions`).
//!
//! The key comes from an environment variable. It is sent and nothing else: never logged, never written.

use super::rubric::Prompt;
use super::run::{Judge, JudgeFailure};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How to reach a judge.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Base URL, such as `http://localhost:8000/v1`.
    pub url: String,
    /// Name of the model.
    pub model: String,
    /// The key; none for a server that asks for none.
    pub key: Option<String>,
    /// Most requests per minute; none for no limit.
    pub per_minute: Option<f64>,
    /// Attempts per question.
    pub attempts: u32,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The first wait after a failure; each further one is twice as long.
    pub first_wait: Duration,
}

impl EndpointSettings {
    /// Five attempts, a minute for an answer, a second of first wait, no limit of requests.
    pub fn new(url: String, model: String, key: Option<String>) -> Self {
        EndpointSettings {
            url,
            model,
            key,
            per_minute: None,
            attempts: 5,
            timeout: Duration::from_secs(60),
            first_wait: Duration::from_secs(1),
        }
    }
}

/// Temperature of the judge: its usual variety, so that repeats show how sure it is. Chosen, not tuned.
const TEMPERATURE: f64 = 0.7;
/// Most tokens of an answer: the JSON and some words around it.
const MOST_TOKENS: u32 = 400;
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The judge.
pub struct EndpointJudge {
    settings: EndpointSettings,
    agent: ureq::Agent,
    last: Mutex<Option<Instant>>,
}

/// Why an attempt failed.
enum Fault {
    /// Another attempt may succeed, after the wait that the server asks for.
    Passing(String, Option<Duration>),
    /// No attempt will succeed.
    Lasting(String),
}

impl EndpointJudge {
    /// A judge that is asked as `settings` say.
    pub fn new(settings: EndpointSettings) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .build();
        EndpointJudge { settings, agent: config.into(), last: Mutex::new(None) }
    }

    /// Waits until the next request may be sent.
    fn keep_to_rate(&self) {
        let Some(per_minute) = self.settings.per_minute.filter(|rate| *rate > 0.0) else { return };
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(before) = *last {
            let next = before + Duration::from_secs_f64(60.0 / per_minute);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        *last = Some(Instant::now());
    }

    fn attempt(&self, prompt: &Prompt, number: u64) -> Result<String, Fault> {
        self.keep_to_rate();
        let url = format!("{}/chat/completions", self.settings.url.trim_end_matches('/'));
        let mut request = self.agent.post(&url);
        if let Some(key) = &self.settings.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let body = json!({
            "model": self.settings.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "temperature": TEMPERATURE,
            "max_tokens": MOST_TOKENS,
            "seed": number,
        });
        let mut response = request.send_json(&body).map_err(|error| match error {
            ureq::Error::BadUri(reason) => Fault::Lasting(format!("{url} is not a URL: {reason}")),
            other => Fault::Passing(format!("{url}: {other}"), None),
        })?;
        let status = response.status().as_u16();
        let wait = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok())
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())));
        let text = response.body_mut().read_to_string();
        let said = |text: &str| {
            let json: Value = serde_json::from_str(text).unwrap_or_default();
            let message = json["error"]["message"].as_str().map(String::from);
            let message = message.unwrap_or_else(|| text.chars().take(200).collect());
            // A server may repeat what it was sent.
            match &self.settings.key {
                Some(key) => message.replace(key.as_str(), "(key)"),
                None => message,
            }
        };
        match status {
            200..=299 => {
                let text = text.map_err(|error| Fault::Passing(format!("{url}: {error}"), None))?;
                let json: Value = serde_json::from_str(&text)
                    .map_err(|_| Fault::Passing(format!("{url} does not answer in JSON"), None))?;
                let content = json["choices"][0]["message"]["content"].as_str();
                content.map(String::from).ok_or_else(|| {
                    Fault::Passing(format!("{url} answers without choices[0].message.content"), None)
                })
            }
            408 | 409 | 425 | 429 | 500..=599 => {
                let said = said(&text.unwrap_or_default());
                Err(Fault::Passing(format!("{url} answers with status {status}: {said}"), wait))
            }
            401 | 403 => Err(Fault::Lasting(format!("{url} refuses the key (status {status})"))),
            _ => Err(Fault::Lasting(format!(
                "{url} answers with status {status}: {}",
                said(&text.unwrap_or_default())
            ))),
        }
    }
}

impl Judge for EndpointJudge {
    fn name(&self) -> String {
        self.settings.model.clone()
    }

    fn answer(&self, prompt: &Prompt, number: u64) -> Result<String, JudgeFailure> {
        let mut wait = self.settings.first_wait;
        let mut attempt = 1;
        loop {
            match self.attempt(prompt, number) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Lasting(reason)) => return Err(JudgeFailure(reason)),
                Err(Fault::Passing(reason, _)) if attempt >= self.settings.attempts => {
                    return Err(JudgeFailure(format!("{reason} ({attempt} attempts)")));
                }
                Err(Fault::Passing(reason, asked)) => {
                    tracing::debug!("attempt {attempt}: {reason}");
                    std::thread::sleep(asked.unwrap_or(wait));
                    wait = (2 * wait).min(LONGEST_WAIT);
                    attempt += 1;
                }
            }
        }
    }
}
