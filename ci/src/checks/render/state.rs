//! What a rendering works on, and why it can fail.

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

/// Why nothing was rendered.
#[derive(Debug)]
pub enum Failure {
    /// An answer is refused: the sentence, the same that `cargo xtask new` says.
    Refused(String),
    /// The template is at fault, whatever the answers are.
    Template(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(sentence) => formatter.write_str(sentence),
            Self::Template(fault) => write!(formatter, "the template is at fault: {fault}"),
        }
    }
}

impl std::error::Error for Failure {}

/// A file of the template.
pub struct Source {
    /// Where it lies in the template.
    pub path: String,
    pub form: Form,
}

pub enum Form {
    /// What is excluded from rendering, or has nothing to render.
    Copied(Arc<[u8]>),
    /// A template.
    Rendered(liquid::Template),
}

pub type Files = BTreeMap<String, Rc<Source>>;

/// What a rendering works on.
#[derive(Default)]
pub struct State {
    pub globals: Object,
    pub files: Files,
    pub notes: Vec<String>,
    pub set: BTreeSet<String>,
    pub used: BTreeSet<String>,
    /// What a hook did that is a fault of its own and no refusal.
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
