//! The build script: linker settings, bindings of the filter manager, and resources.

mod bindings;
{%- if event_log %}
mod message_table;
{%- endif %}
mod resources;

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let config = wdk_build::Config::from_env_auto()?;
    config.configure_binary_build()?;
    bindings::generate(&config, &out_dir)?;
{%- if event_log %}
    let messages = message_table::generate(&out_dir)?;
    resources::compile(&out_dir, &messages)
{%- else %}
    resources::compile(&out_dir, "")
{%- endif %}
}
