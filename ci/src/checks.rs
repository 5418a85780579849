//! What tests the template, and what its maintainers run.
//!
//! | question | module |
//! |---|---|
//! | what does CI run? | [`test`] |
//! | what takes longer than CI has? | [`nightly`], in parts of [`shard`] |
//! | which stages does a command line name? | [`stages`] |
//! | which combinations of answers are tried, and what must they pass? | [`matrix`] |
//! | how are drivers built and judged there, each once? | [`driver`], [`cache`] |
//! | which defects would the bench not find in an emitted driver? | [`mutate`] |
//! | what do the template and its tools cost, beside a peer? | [`measure`] |
//! | what would be emitted, judged strictly? | [`render`] |
//! | do nasty answers break anything? | [`hostile`] |
//! | which versions does a fresh project lock? | [`lock`] |
//! | which programs do the tests need? | [`tools`] |
//! | which versions of the template are there, and what does each emit? | [`versions`] |

pub mod cache;
pub mod driver;
pub mod hostile;
pub mod lock;
pub mod matrix;
pub mod measure;
pub mod mutate;
pub mod nightly;
pub mod render;
pub mod shard;
pub mod stages;
pub mod test;
pub mod tools;
pub mod versions;
