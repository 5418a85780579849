//! The standard library for wdk-build on Linux: `std`, and `std::os::windows::fs::symlink_file`.
#![no_std]

extern crate std as real;

pub use real::*;

pub mod os {
    pub use real::os::*;

    pub mod windows {
        pub mod fs {
            pub use real::os::unix::fs::symlink as symlink_file;
        }
    }
}
