//! Replaces the `windows` crate when wdk-build is compiled for Linux, where the crate is empty.
//!
//! wdk-build uses the crate only to read the path of the WDK from the registry. Linux has no registry, so every query
//! returns `ERROR_FILE_NOT_FOUND`, and wdk-build uses `WDKContentRoot`.
#![allow(non_snake_case, non_camel_case_types)]

pub mod core {
    #[derive(Clone, Copy)]
    pub struct PCSTR(pub *const u8);

    pub use crate::s;
}

#[macro_export]
macro_rules! s {
    ($text:literal) => {
        $crate::core::PCSTR(concat!($text, "\0").as_ptr())
    };
}

pub mod Win32 {
    pub mod System {
        pub mod Registry {
            use core::ffi::c_void;

            use crate::core::PCSTR;

            #[derive(Clone, Copy, Default)]
            pub struct HKEY(pub usize);

            pub const HKEY_LOCAL_MACHINE: HKEY = HKEY(0x8000_0002);
            pub const KEY_READ: u32 = 0x0002_0019;
            pub const RRF_RT_REG_SZ: u32 = 0x2;

            #[derive(Debug)]
            pub struct WIN32_ERROR(pub u32);

            const ERROR_FILE_NOT_FOUND: WIN32_ERROR = WIN32_ERROR(2);

            impl WIN32_ERROR {
                pub fn is_ok(&self) -> bool {
                    self.0 == 0
                }

                pub fn ok(self) -> Result<(), Self> {
                    if self.is_ok() { Ok(()) } else { Err(self) }
                }
            }

            pub unsafe fn RegOpenKeyExA(
                _: HKEY,
                _: PCSTR,
                _: Option<u32>,
                _: u32,
                _: *mut HKEY,
            ) -> WIN32_ERROR {
                ERROR_FILE_NOT_FOUND
            }

            pub unsafe fn RegGetValueA(
                _: HKEY,
                _: Option<PCSTR>,
                _: PCSTR,
                _: u32,
                _: Option<*mut u32>,
                _: Option<*mut c_void>,
                _: Option<*mut u32>,
            ) -> WIN32_ERROR {
                ERROR_FILE_NOT_FOUND
            }

            pub unsafe fn RegCloseKey(_: HKEY) -> WIN32_ERROR {
                WIN32_ERROR(0)
            }
        }
    }
}
