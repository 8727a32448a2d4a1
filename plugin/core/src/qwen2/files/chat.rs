//! A conversation as text with marks around each message: ChatML, the template of all Qwen2 models.
//!
//! ```text
//! <|im_start|>system
//! You are a helpful assistant.<|im_end|>
//! <|im_start|>user
//! Hello!<|im_end|>
//! <|im_start|>assistant
//! ```
//!
//! A file carries its template as a program in the language Jinja. It is not run: from it comes the system message that the
//! model was tuned with, and whether it is ChatML at all.

use super::tokenizer::QwenTokenizer;
use crate::error::Result;

/// Starts a message.
pub const START: &str = "<|im_start|>";
/// Ends a message.
pub const END: &str = "<|im_end|>";
/// The system message of Qwen2's template, used where a file has no template.
const DEFAULT_SYSTEM: &str = "You are a helpful assistant.";

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sets the scene.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Name in the template.
    pub const fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub text: String,
}

/// A ChatML template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    system: String,
}

impl Default for ChatTemplate {
    fn default() -> Self {
        ChatTemplate { system: DEFAULT_SYSTEM.into() }
    }
}

impl ChatTemplate {
    /// From the template of a file.
    ///
    /// # Errors
    /// A sentence, when it is not ChatML.
    pub fn of_jinja(source: &str) -> Result<Self, String> {
        if !source.contains(START) || !source.contains(END) {
            return Err("has a chat template that is not ChatML, which is not supported".into());
        }
        // The template writes a system message of its own where the conversation has none.
        let opening = format!("{START}system");
        let system = source.match_indices(&opening).find_map(|(at, _)| {
            let rest = &source[at + opening.len()..];
            let rest = rest.strip_prefix("\\n").or_else(|| rest.strip_prefix('\n'))?;
            let text = rest.split_once(END)?.0;
            let is_literal = !text.is_empty() && !text.contains(['\'', '{', '}', '\\']);
            is_literal.then(|| text.to_string())
        });
        Ok(ChatTemplate { system: system.unwrap_or_else(|| DEFAULT_SYSTEM.into()) })
    }

    /// The system message where a conversation starts with none.
    pub fn default_system(&self) -> &str {
        &self.system
    }

    /// The conversation as tokens, ready for the model's next message.
    ///
    /// The marks become their tokens; text never does, whatever a person types.
    ///
    /// # Errors
    /// When the tokenizer lacks the marks or fails.
    pub fn tokens(&self, tokenizer: &QwenTokenizer, messages: &[Message]) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        if messages.first().is_none_or(|message| message.role != Role::System) {
            self.push(tokenizer, Role::System, &self.system, &mut ids)?;
        }
        for message in messages {
            self.push(tokenizer, message.role, &message.text, &mut ids)?;
        }
        ids.push(tokenizer.mark(START)?);
        ids.extend(tokenizer.encode(&format!("{}\n", Role::Assistant.name()))?);
        Ok(ids)
    }

    /// Appends one message, closed.
    ///
    /// # Errors
    /// As [`ChatTemplate::tokens`].
    pub fn push(&self, tokenizer: &QwenTokenizer, role: Role, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        ids.push(tokenizer.mark(START)?);
        ids.extend(tokenizer.encode(&format!("{}\n{text}", role.name()))?);
        ids.push(tokenizer.mark(END)?);
        ids.extend(tokenizer.encode("\n")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_message_comes_from_the_template() {
        let qwen2 = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
            {{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}";
        assert_eq!(ChatTemplate::of_jinja(qwen2).unwrap().default_system(), "You are a helpful assistant.");
        let qwen25 = "{{- '<|im_start|>system\\n' }}{{- messages[0]['content'] }}<|im_end|>\
            {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\
            {{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}";
        assert_eq!(ChatTemplate::of_jinja(qwen25).unwrap().default_system(), "You are Qwen.");
        let bare = "<|im_start|>{{ role }}<|im_end|>";
        assert_eq!(ChatTemplate::of_jinja(bare).unwrap(), ChatTemplate::default());
        assert!(
            ChatTemplate::of_jinja("[INST] {{ text }} [/INST]").is_err_and(|why| why.contains("not ChatML"))
        );
    }
}
