//! What is meant: variants expanded, names resolved, defaults filled in.

pub mod content;
pub mod count;
pub mod matcher;
pub mod model;
pub mod pattern;
pub mod random;
pub mod routing;
pub mod template;
