//! What a user of the template runs, one module a command.
//!
//! | question | module |
//! |---|---|
//! | how is a project emitted, and which answers are refused? | [`new`] |
//! | which options are there? | [`options`] |
//! | how is a driver built, and what is in a package? | [`build`], [`package`] |
//! | what must be installed for that? | [`setup`] |
//! | how are the tests of a project run? | [`test_driver`] |
//! | what does a driver do, step by step? | [`try_driver`] |
//! | how does the bench judge a `.sys`, and how is the verdict shown? | [`verify`] |
//! | does an INF keep the rules, and say what the answers call for? | [`inf`] |
//! | what does an organisation add to the template? | [`kit`] |
//! | what does a newer version of the template change in a project? | [`follow`] |

pub mod build;
pub mod follow;
pub mod inf;
pub mod kit;
pub mod new;
pub mod options;
pub mod package;
pub mod setup;
pub mod test_driver;
pub mod try_driver;
pub mod verify;
