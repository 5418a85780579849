//! Projects that follow the template: what a newer version, or another answer, changes in a project.
//!
//! | question | module |
//! |---|---|
//! | what is in the project's record and in its git repository? | [`project`] |
//! | what did a version of the template emit? | [`Template`](super::new::template::Template) |
//! | what do the author's changes and the template's make together? | [`merge`] |
//! | what do two changes of a lock file make? | [`lock`] |
//! | what is no change of a record? | [`records`] |
//! | how are the files of the project changed? | [`write`] |
//!
//! The base of the merge is what the recorded version emits with the recorded answers. git merges; the project's
//! repository is only read, and its working tree is written.

pub mod adopt;
pub mod check;
pub mod diff;
mod lock;
pub mod merge;
mod project;
mod records;
pub mod update;
pub mod write;
