//! The large model: a pretrained Qwen2 with our adapter, which talks about what is off in a window.
//!
//! It reads what the encoder measured (soft tokens of a projector), then a decision in three tokens (stem, direction, size), and
//! only then the measured figures as text, which its explanations copy. A question comes behind the decision, so it cannot
//! change it. Figures in an explanation can only be those that were given: others are not let through.
//!
//! Whose decision it is, the adapter says ([`About::decides`]): its own, constrained to these tokens, or the compact model's. The
//! adapter that ships leaves it to the compact model, which is right more often and decides in milliseconds.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`choices`] | the words that stand for a decision |
//! | [`layout`] | the text around a window, in training and inference |
//! | [`package`] | the file of adapter and projector |
//! | [`mod@openings`] | how an answer begins |
//! | [`figures`] | which figures may be written |
//! | [`model`] | the model: decisions |
//! | [`shipped`] | the adapter that ships, and the model that the user chose |
//! | [`talk`] | the model: explanations |

pub mod choices;
pub mod figures;
pub mod layout;
pub mod model;
pub mod openings;
pub mod package;
pub mod shipped;
pub mod talk;

pub use choices::Choices;
pub use layout::{Layout, WindowPrompt, WindowSpec};
pub use model::{Decided, LargeModel};
pub use package::{About, Package};
pub use talk::Talk;
