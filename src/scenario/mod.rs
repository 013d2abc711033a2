//! The file as written: read strictly, field for field, with the place of everything.
//!
//! [`source`] reads the text, [`yaml`] and [`node`] make a tree of it, [`include`] joins the trees
//! of the files that it includes to it, [`variables`] fills in the variables, and [`decode`] turns the tree into the structs of the modules below it.
//! What the file means is not known here. [`schema`] tells editors what may be written.

pub mod source;
pub mod node;
pub mod yaml;
pub mod mistake;
pub mod collect;
pub mod keys;
pub mod variables;
pub mod lint;
pub mod decode;
pub mod scalar;
pub mod pattern;
pub mod matcher;
pub mod file;
pub mod part;
pub mod include;
pub mod topology;
pub mod work;
pub mod actors;
pub mod trigger;
pub mod probe;
pub mod expect;
pub mod tolerance;
pub mod schema;

pub use node::At;
pub use source::Source;
