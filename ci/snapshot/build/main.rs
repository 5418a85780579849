//! The build script: linker settings, bindings of the filter manager, and resources.

mod bindings;
mod message_table;
mod resources;

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let config = wdk_build::Config::from_env_auto()?;
    config.configure_binary_build()?;
    bindings::generate(&config, &out_dir)?;
    let messages = message_table::generate(&out_dir)?;
    resources::compile(&out_dir, &messages)
}
