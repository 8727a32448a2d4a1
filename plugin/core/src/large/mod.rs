//! The large model: a pretrained Qwen2 with our adapter, which decides what is off in a window and talks about it.
//!
//! It reads what the encoder measured (soft tokens of a projector), decides in three constrained tokens (stem, direction,
//! size), and only then sees the measured figures as text, which its explanations copy. A question comes behind the decision,
//! so it cannot change it. Figures in an explanation can only be those that were given: others are not let through.
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
