//! The name of the file of an operation.

use core::{ptr, ptr::NonNull, slice};

use wdk_sys::{
    _FILE_INFORMATION_CLASS as Class, FILE_RENAME_INFORMATION, PCUNICODE_STRING, UNICODE_STRING,
    ntddk::RtlUpcaseUnicodeChar,
};

use super::{
    bindings::{
        FLT_FILE_NAME_INFORMATION, FLT_FILE_NAME_NORMALIZED, FLT_FILE_NAME_OPENED,
        FLT_FILE_NAME_OPTIONS, FLT_FILE_NAME_QUERY_DEFAULT, FltGetDestinationFileNameInformation,
        FltGetFileNameInformation, FltGetTunneledName, FltReleaseFileNameInformation,
        PFLT_FILE_NAME_INFORMATION,
    },
    context::AtApc,
    data::{CallbackData, PostOperation, PreOperation},
    operation::{Named, NamedAfter, Operation, SetInformation, Tunneled},
    status::{ErrorStatus, check},
    unicode::Text,
};

/// The form of a name.
#[derive(Clone, Copy)]
pub enum NameFormat {
    /// `\Device\HarddiskVolume1\folder\file.txt:stream`, with long names for short ones and with the
    /// targets of mount points: the form to compare. A file with hard links has several names. A
    /// post-operation callback of a create, a rename or a new hard link that uses the name from before
    /// calls `PostOperation::name_after`.
    /// `FLT_FILE_NAME_NORMALIZED`.
    Normalized,
    /// The name that the caller opened, with the volume. `FLT_FILE_NAME_OPENED`.
    Opened,
}

/// The name of a file. It is not kept longer than its operation, and is dropped at `APC_LEVEL` or below.
///
/// # Invariants
///
/// The pointer came from `FltGetFileNameInformation`, `FltGetDestinationFileNameInformation` or
/// `FltGetTunneledName`, which counts this reference.
pub struct FileName(NonNull<FLT_FILE_NAME_INFORMATION>);

// SAFETY: the filter manager counts references, and nobody changes the name.
unsafe impl Send for FileName {}
// SAFETY: as above.
unsafe impl Sync for FileName {}

impl<O: Named> PreOperation<'_, O> {
    /// Returns the name of the file. A query is expensive: query it once, and only for the requests
    /// that need it. Wraps `FltGetFileNameInformation`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltGetFileNameInformation`. It fails where a file system must not be asked,
    /// for example in paging I/O (`STATUS_FLT_INVALID_NAME_REQUEST`).
    pub fn file_name(&mut self, format: NameFormat) -> Result<FileName, ErrorStatus> {
        query(self.common(), format)
    }
}

impl<O: NamedAfter> PostOperation<'_, O, AtApc> {
    /// Returns the name of the file, as [`PreOperation::file_name`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn file_name(&mut self, format: NameFormat) -> Result<FileName, ErrorStatus> {
        query(self.common(), format)
    }
}

impl<O: Tunneled> PostOperation<'_, O, AtApc> {
    /// Returns the name of the file after the operation. `name` is the normalized name from the
    /// pre-operation callback, in which the operation can have replaced a short name by a long one. Wraps
    /// `FltGetTunneledName`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltGetTunneledName`.
    pub fn name_after(&mut self, name: FileName) -> Result<FileName, ErrorStatus> {
        let mut information: PFLT_FILE_NAME_INFORMATION = ptr::null_mut();
        // SAFETY: valid callback data in a post-operation callback, the name, and a place for the
        // result.
        check(unsafe { FltGetTunneledName(self.as_ptr(), name.0.as_ptr(), &raw mut information) })?;
        // NULL: the name did not change.
        Ok(NonNull::new(information).map_or(name, FileName))
    }
}

fn query<O: Operation>(
    data: &mut CallbackData<'_, O>,
    format: NameFormat,
) -> Result<FileName, ErrorStatus> {
    let mut information: PFLT_FILE_NAME_INFORMATION = ptr::null_mut();
    // SAFETY: valid callback data in a callback at APC_LEVEL or below, and a place for the result.
    check(unsafe {
        FltGetFileNameInformation(data.as_raw(), format.flags(), &raw mut information)
    })?;
    // SAFETY: the function succeeded.
    Ok(FileName(unsafe { NonNull::new_unchecked(information) }))
}

impl Drop for FileName {
    fn drop(&mut self) {
        // SAFETY: the invariant; a name is dropped at APC_LEVEL or below, because it is not
        // `DropAtDispatch`.
        unsafe { FltReleaseFileNameInformation(self.0.as_ptr()) };
    }
}

impl PreOperation<'_, SetInformation> {
    /// Returns the new name, if the operation renames the file or creates a hard link. Wraps
    /// `FltGetDestinationFileNameInformation`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltGetDestinationFileNameInformation`.
    pub fn destination_name(
        &mut self,
        format: NameFormat,
    ) -> Result<Option<FileName>, ErrorStatus> {
        if !matches!(
            self.information_class(),
            Class::FileRenameInformation
                | Class::FileRenameInformationEx
                | Class::FileLinkInformation
                | Class::FileLinkInformationEx
        ) {
            return Ok(None);
        }
        // The structures of the four classes have the same members.
        let rename = self.information_buffer().cast::<FILE_RENAME_INFORMATION>();
        // SAFETY: the I/O manager has copied the structure to a system buffer and has checked it.
        let root = unsafe { (*rename).RootDirectory };
        // SAFETY: likewise.
        let length = unsafe { (*rename).FileNameLength };
        // SAFETY: likewise.
        let name = unsafe { (&raw mut (*rename).FileName).cast() };
        let mut information: PFLT_FILE_NAME_INFORMATION = ptr::null_mut();
        // SAFETY: the instance and the file of the operation, the name of its request, and a place for
        // the result.
        check(unsafe {
            FltGetDestinationFileNameInformation(
                self.instance(),
                self.file_object(),
                root,
                name,
                length,
                format.flags(),
                &raw mut information,
            )
        })?;
        // SAFETY: the function succeeded.
        Ok(Some(FileName(unsafe {
            NonNull::new_unchecked(information)
        })))
    }
}

impl FileName {
    /// Returns the whole name as UTF-16. IRQL <= `APC_LEVEL`.
    pub const fn units(&self) -> &[u16] {
        // SAFETY: the invariant.
        let name = unsafe { &self.0.as_ref().Name };
        // SAFETY: the string lives as long as the information.
        unsafe { units_of(name) }
    }

    /// Returns the name without the stream. IRQL <= `APC_LEVEL`.
    pub fn path(&self) -> &[u16] {
        let units = self.units();
        let last = units.len().wrapping_sub(last_component_of(units).len());
        let end = units
            .iter()
            .skip(last)
            .position(|&unit| unit == COLON)
            .map_or(units.len(), |at| last.wrapping_add(at));
        units.get(..end).unwrap_or(units)
    }

    /// Returns the stream with its colon, for example `:stream` or `::$DATA`; nothing for the unnamed
    /// stream. IRQL <= `APC_LEVEL`.
    pub fn stream(&self) -> &[u16] {
        self.units().get(self.path().len()..).unwrap_or_default()
    }

    /// Returns the last component of the path. IRQL <= `APC_LEVEL`.
    pub fn last_component(&self) -> &[u16] {
        last_component_of(self.path())
    }

    /// Returns whether the path matches `pattern`, ignoring case and the stream: `*` stands for any
    /// number of characters, `?` for one. Wraps `RtlUpcaseUnicodeChar`; IRQL <= `APC_LEVEL`.
    pub fn matches(&self, pattern: Text) -> bool {
        matches(self.path(), pattern.units())
    }

    /// Returns whether the last component matches `pattern`, as [`FileName::matches`] does.
    pub fn last_component_matches(&self, pattern: Text) -> bool {
        matches(self.last_component(), pattern.units())
    }

    /// Returns the counted string, for functions that only read it.
    pub const fn counted(&self) -> PCUNICODE_STRING {
        // SAFETY: the invariant.
        unsafe { &raw const (*self.0.as_ptr()).Name }
    }
}

fn last_component_of(path: &[u16]) -> &[u16] {
    path.rsplit(|&unit| unit == BACKSLASH)
        .next()
        .unwrap_or(path)
}

impl NameFormat {
    const fn flags(self) -> FLT_FILE_NAME_OPTIONS {
        FLT_FILE_NAME_QUERY_DEFAULT
            | match self {
                Self::Normalized => FLT_FILE_NAME_NORMALIZED,
                Self::Opened => FLT_FILE_NAME_OPENED,
            }
    }
}

const BACKSLASH: u16 = b'\\' as u16;
const COLON: u16 = b':' as u16;
const ANY: u16 = b'*' as u16;
const ONE: u16 = b'?' as u16;

/// # Safety
///
/// The string is valid during `'a`.
const unsafe fn units_of<'a>(string: &UNICODE_STRING) -> &'a [u16] {
    if string.Buffer.is_null() {
        return &[];
    }
    // SAFETY: the caller's contract. Length is in bytes.
    unsafe { slice::from_raw_parts(string.Buffer, string.Length as usize / 2) }
}

/// Returns whether `name` matches `pattern`. On a mismatch after a `*`, the `*` takes one more
/// character: time is the product of the lengths at most.
fn matches(name: &[u16], pattern: &[u16]) -> bool {
    let (mut name, mut pattern) = (name, pattern);
    let mut after_any: Option<(&[u16], &[u16])> = None;
    loop {
        match (name, pattern) {
            (_, [ANY, rest @ ..]) => {
                pattern = rest;
                after_any = Some((name, rest));
            }
            ([], []) => return true,
            ([unit, name_rest @ ..], [wanted, pattern_rest @ ..])
                if *wanted == ONE || equal_ignoring_case(*unit, *wanted) =>
            {
                name = name_rest;
                pattern = pattern_rest;
            }
            _ => match after_any {
                Some(([_, later @ ..], rest)) => {
                    name = later;
                    pattern = rest;
                    after_any = Some((later, rest));
                }
                _ => return false,
            },
        }
    }
}

fn equal_ignoring_case(one: u16, other: u16) -> bool {
    // SAFETY: the function takes any character.
    let upcase = |unit| unsafe { RtlUpcaseUnicodeChar(unit) };
    one == other || upcase(one) == upcase(other)
}
