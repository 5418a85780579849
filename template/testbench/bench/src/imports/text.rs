//! The functions of the `printf` family that `ntstrsafe.h` calls.
//!
//! Document: "Format specification syntax: `printf` and `wprintf` functions". Floating-point formats are not supported,
//! because drivers do not use floating point.

use crate::machine::declare::functions;
use crate::machine::function::Fails;
use crate::machine::guest;
use crate::vocabulary::irql::ANY;

functions! { pub TEXT = "ntoskrnl.exe", "stdio.h";
    /// Formats a string of wide characters.
    [ANY, Fails::Quiet]
    fn _snwprintf(
        buffer: u64, count: u64, format: u64,
        a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64,
    ) -> i32 {
        wide(buffer, count, format, [a, b, c, d, e, f, g, h, i, j].into_iter())
    }
    /// Formats a string of wide characters.
    [ANY, Fails::Quiet]
    fn _vsnwprintf(buffer: u64, count: u64, format: u64, arguments: u64) -> i32 {
        wide(buffer, count, format, list(arguments))
    }
    /// Formats a string of bytes.
    [ANY, Fails::Quiet]
    fn _snprintf(
        buffer: u64, count: u64, format: u64,
        a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64,
    ) -> i32 {
        narrow(buffer, count, format, [a, b, c, d, e, f, g, h, i, j].into_iter())
    }
    /// Formats a string of bytes.
    [ANY, Fails::Quiet]
    fn _vsnprintf(buffer: u64, count: u64, format: u64, arguments: u64) -> i32 {
        narrow(buffer, count, format, list(arguments))
    }
}

/// Returns the arguments of a `va_list`, eight bytes each.
pub fn list(mut address: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let argument = guest::read(address);
        address += 8;
        Some(argument)
    })
}

fn wide(buffer: u64, count: u64, format: u64, arguments: impl Iterator<Item = u64>) -> i32 {
    let format = String::from_utf16_lossy(&guest::wide(format, 4096));
    let mut units: Vec<u16> = formatted(&format, true, arguments).encode_utf16().collect();
    let written = units.len();
    units.push(0);
    guest::put_wide(buffer, &units[..units.len().min(count as usize)]);
    length(written, count)
}

fn narrow(buffer: u64, count: u64, format: u64, arguments: impl Iterator<Item = u64>) -> i32 {
    let mut bytes = formatted(&guest::narrow(format, 4096), false, arguments).into_bytes();
    let written = bytes.len();
    bytes.push(0);
    guest::put(buffer, &bytes[..bytes.len().min(count as usize)]);
    length(written, count)
}

/// Returns the length of the text, or a negative number if the text does not fit.
fn length(length: usize, count: u64) -> i32 {
    if length as u64 > count {
        -1
    } else {
        length as i32
    }
}

/// The maximum width of a field. It is larger than the buffer of any kernel string.
const WIDEST: usize = 0x1_0000;

/// Formats a text.
pub fn formatted(format: &str, wide: bool, mut arguments: impl Iterator<Item = u64>) -> String {
    let mut text = String::new();
    let mut rest = format.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '%' {
            text.push(next);
            continue;
        }
        let mut argument = || arguments.next().unwrap_or_default();
        let flags: String =
            std::iter::from_fn(|| rest.next_if(|next| "-+ #0".contains(*next))).collect();
        let mut number = |rest: &mut std::iter::Peekable<std::str::Chars>| {
            let number = if rest.next_if_eq(&'*').is_some() {
                argument() as u32 as usize
            } else {
                let digits: String =
                    std::iter::from_fn(|| rest.next_if(char::is_ascii_digit)).collect();
                digits.parse().unwrap_or_default()
            };
            number.min(WIDEST)
        };
        let width = number(&mut rest);
        let precision = rest.next_if_eq(&'.').map(|_| number(&mut rest));
        let size: String =
            std::iter::from_fn(|| rest.next_if(|next| "hlwI6432zjtL".contains(*next))).collect();
        let Some(kind) = rest.next() else { break };
        let long = size.contains("ll") || size.contains("64") || size == "I" || size == "z";
        let cut = |text: String| match precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        };
        let value = match kind {
            '%' => "%".to_owned(),
            'd' | 'i' if long => (argument() as i64).to_string(),
            'd' | 'i' => (argument() as i32).to_string(),
            'u' if long => argument().to_string(),
            'u' => (argument() as u32).to_string(),
            'x' if long => format!("{:x}", argument()),
            'x' => format!("{:x}", argument() as u32),
            'X' if long => format!("{:X}", argument()),
            'X' => format!("{:X}", argument() as u32),
            'p' => format!("{:016X}", argument()),
            'c' | 'C' => char::from_u32(argument() as u16 as u32)
                .unwrap_or('?')
                .to_string(),
            'Z' => counted(argument(), size.contains('w')),
            's' | 'S' => {
                // The character width is that of the format string, unless a size prefix specifies it.
                let is_wide = match (kind, size.as_str()) {
                    (_, "w" | "l") => true,
                    (_, "h") => false,
                    (kind, _) => (kind == 's') == wide,
                };
                cut(terminated(argument(), is_wide))
            }
            other => format!("%{other}"),
        };
        let missing = width.saturating_sub(value.chars().count());
        let zeroes = flags.contains('0') && !flags.contains('-') && "dixXup".contains(kind);
        let padding = if zeroes { "0" } else { " " }.repeat(missing);
        if flags.contains('-') {
            text.push_str(&value);
            text.push_str(&padding);
        } else {
            text.push_str(&padding);
            text.push_str(&value);
        }
    }
    text
}

fn terminated(address: u64, wide: bool) -> String {
    if address == 0 {
        return "(null)".to_owned();
    }
    if wide {
        String::from_utf16_lossy(&guest::wide(address, 4096))
    } else {
        guest::narrow(address, 4096)
    }
}

fn counted(address: u64, wide: bool) -> String {
    if address == 0 {
        return "(null)".to_owned();
    }
    if wide {
        return guest::unicode(address);
    }
    guest::counted(address)
        .into_iter()
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str, arguments: &[u64]) -> String {
        formatted(format, true, arguments.iter().copied())
    }

    #[test]
    fn numbers_have_the_requested_width_and_size() {
        assert_eq!(printed("%d|%u", &[u64::MAX, 7]), "-1|7");
        assert_eq!(printed("%08x", &[0xDEAD]), "0000dead");
        assert_eq!(printed("%-6d|", &[42]), "42    |");
        assert_eq!(
            printed("%llu %I64x", &[1 << 40, 1 << 40]),
            "1099511627776 10000000000"
        );
        assert_eq!(printed("100%% %*d", &[4, 7]), "100%    7");
    }

    #[test]
    fn strings_are_wide_in_a_wide_format() {
        let wide: Vec<u16> = "report.txt\0".encode_utf16().collect();
        let narrow = b"report.txt\0";
        let (wide, narrow) = (wide.as_ptr() as u64, narrow.as_ptr() as u64);
        assert_eq!(
            printed("%s|%S|%hs|%ws", &[wide, narrow, narrow, wide]),
            ["report.txt"; 4].join("|")
        );
        assert_eq!(printed("%.6s|%s", &[wide, 0]), "report|(null)");
    }
}
