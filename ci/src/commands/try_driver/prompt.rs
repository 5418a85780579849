//! The prompt: a line editor with history and completion.

use rustyline::{
    Completer, Editor, Helper, Highlighter, Hinter, Validator,
    completion::{Completer, Pair},
    error::ReadlineError,
    history::DefaultHistory,
};

use super::commands::{COMMANDS, Shell, Told};

/// Completes the names of commands.
#[derive(Helper, Completer, Highlighter, Hinter, Validator)]
struct Help {
    #[rustyline(Completer)]
    names: Names,
}

struct Names;

impl Completer for Names {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let begin = &line[..position];
        if begin.contains(' ') {
            return Ok((position, Vec::new()));
        }
        let names = COMMANDS.iter().map(|command| command.name);
        let pairs = names
            .filter(|name| name.starts_with(begin))
            .map(|name| Pair {
                display: name.to_owned(),
                replacement: format!("{name} "),
            });
        Ok((0, pairs.collect()))
    }
}

/// Reads commands until the end of the input, or until the user ends it.
///
/// # Errors
///
/// The terminal cannot be read, or a result cannot be shown.
pub fn run(
    shell: &mut Shell,
    mut show: impl FnMut(&str, &Told) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut editor: Editor<Help, DefaultHistory> = Editor::new()?;
    editor.set_helper(Some(Help { names: Names }));
    println!("Type `load` to load the driver, `help` for the commands, `quit` to end.");
    loop {
        match editor.readline("> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                let told = shell.perform(&line);
                show(&line, &told)?;
                if matches!(told, Told::End) {
                    return Ok(());
                }
            }
            // Ctrl-C discards the line, as in a shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
