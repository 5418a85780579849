//! Values that show a property of a request on which an answer depends.

use core::marker::PhantomData;

/// Shows that an operation is an IRP that may be synchronized.
#[derive(Clone, Copy)]
pub struct Synchronous<'a, O>(PhantomData<&'a O>);

/// Shows that an operation is fast I/O.
#[derive(Clone, Copy)]
pub struct FastIo<'a, O>(PhantomData<&'a O>);

/// Shows that a section of a file is created, which may be failed.
#[derive(Clone, Copy)]
pub struct CreatesSection<'a>(PhantomData<&'a ()>);

impl<O> Synchronous<'_, O> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<O> FastIo<'_, O> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl CreatesSection<'_> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}
