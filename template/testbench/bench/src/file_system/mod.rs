//! A file system in memory: directories, files, streams, byte-range locks and directory notifications.
//!
//! It is plain data without access to memory of the driver, and behaves as the documents of the requests say. What it
//! does not model, it reports as [`Refused::NotModelled`] instead of returning a status.
//!
//! Not modelled: access checks (every user has every right), quotas, reparse points, object
//! identifiers, short names, compression, transactions and oplocks.

mod bytes;
mod close;
mod create;
mod directory;
mod extended;
mod features;
mod information;
mod locks;
mod name;
mod set;
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod volume;

pub use create::Create;
pub use directory::{Enumeration, Watch, names_of};
pub use features::Features;
pub use information::fixed_size;
pub use name::win32_expression;
pub use set::renamed;
pub use stream::{Cached, PAGE, SECTOR};
pub use tree::{Answer, FileSystem, OpenId, Range, Refused, StreamId};
