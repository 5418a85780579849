//! The message table resource, from which Event Viewer reads the driver's messages. It is generated
//! from `src/messages.rs`.

#[path = "../src/messages.rs"]
mod messages;

use std::{error::Error, fs, path::Path};

use self::messages::{MESSAGES, Message};

/// `MESSAGE_RESOURCE_ENTRY::Flags`: the text is UTF-16.
const MESSAGE_RESOURCE_UNICODE: u16 = 1;

/// Writes the table to `out_dir` and returns its line in the resource script (11 is
/// `RT_MESSAGETABLE`).
pub fn generate(out_dir: &Path) -> Result<String, Box<dyn Error>> {
    fs::write(out_dir.join("messages.bin"), table(MESSAGES)?)?;
    Ok("1 11 \"messages.bin\"\n".into())
}

/// A `MESSAGE_RESOURCE_DATA`: the number of blocks, the blocks, and their entries. Each block has
/// one message.
fn table(messages: &[Message]) -> Result<Vec<u8>, Box<dyn Error>> {
    let first_entry = 4 + 12 * messages.len();
    let mut blocks = u32::try_from(messages.len())?.to_le_bytes().to_vec();
    let mut entries = Vec::new();
    for message in messages {
        let offset = u32::try_from(first_entry + entries.len())?;
        for field in [message.id, message.id, offset] {
            blocks.extend(field.to_le_bytes());
        }
        entries.extend(entry(message.text)?);
    }
    blocks.extend(entries);
    Ok(blocks)
}

/// A `MESSAGE_RESOURCE_ENTRY`: length, flags, and the text, which ends in a line break and is
/// padded to four bytes.
fn entry(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut utf16: Vec<u16> = text.encode_utf16().chain([0x0D, 0x0A, 0]).collect();
    if utf16.len() % 2 == 1 {
        utf16.push(0);
    }
    let length = u16::try_from(4 + 2 * utf16.len())?;
    Ok([length, MESSAGE_RESOURCE_UNICODE]
        .into_iter()
        .chain(utf16)
        .flat_map(u16::to_le_bytes)
        .collect())
}
