//! The file as written: read strictly, field for field, with the place of everything.
//!
//! [`source`] reads the text, [`yaml`] and [`node`] make a tree of it, [`variables`] fills in
//! the variables, and [`decode`] turns the tree into the structs of the modules below it.
//! What the file means is not known here.

pub mod actors;
pub mod collect;
pub mod decode;
pub mod expect;
pub mod file;
pub mod keys;
pub mod matcher;
pub mod mistake;
pub mod node;
pub mod pattern;
pub mod scalar;
pub mod source;
pub mod topology;
pub mod trigger;
pub mod variables;
pub mod yaml;

pub use node::At;
pub use source::Source;
