//! Builds somebody's minifilter in C against the open WDK, to put it through the bench:
//! `cargo run --example compile_c -- OUT.sys [-I FOLDER]… SOURCE.c…`

use std::{env, path::PathBuf};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let out = arguments
        .next()
        .context("name the .sys to make, then the sources")?;
    let (mut sources, mut includes) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        if argument.as_os_str() == "-I" {
            includes.push(arguments.next().context("-I wants a folder")?);
        } else {
            sources.push(argument);
        }
    }
    xtask::openwdk::c::compile_c(&sources, &includes, &out)
}
