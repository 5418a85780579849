//! The state of a rendering, and its failures.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
    sync::Arc,
};

use liquid::{
    Object,
    model::{ScalarCow, Value},
};

/// The reason why nothing was rendered.
#[derive(Debug)]
pub enum Failure {
    /// An answer is refused, with the message that `cargo xtask new` prints.
    Refused(String),
    /// The template has an error, whatever the answers are.
    Template(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(sentence) => formatter.write_str(sentence),
            Self::Template(fault) => write!(formatter, "the template has an error: {fault}"),
        }
    }
}

impl std::error::Error for Failure {}

/// A file of the template.
pub struct Source {
    /// The path in the template.
    pub path: String,
    pub form: Form,
}

pub enum Form {
    /// A file that is copied without rendering.
    Copied(Arc<[u8]>),
    /// A Liquid template.
    Rendered(liquid::Template),
}

pub type Files = BTreeMap<String, Rc<Source>>;

/// The state of a rendering.
#[derive(Default)]
pub struct State {
    pub globals: Object,
    pub files: Files,
    pub notes: Vec<String>,
    pub set: BTreeSet<String>,
    pub used: BTreeSet<String>,
    /// The error of a hook that is not a refusal.
    pub fault: Option<String>,
}

pub fn insert(state: &RefCell<State>, name: &str, value: Value) {
    state
        .borrow_mut()
        .globals
        .insert(name.to_owned().into(), value);
}

pub fn text(text: &str) -> Value {
    Value::Scalar(ScalarCow::new(text.to_owned()))
}

pub fn truth(truth: bool) -> Value {
    Value::Scalar(ScalarCow::new(truth))
}
