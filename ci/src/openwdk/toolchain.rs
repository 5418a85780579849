//! Finds LLVM and mingw-w64 on this machine.
//!
//! Debian and Ubuntu install each LLVM in `/usr/lib/llvm-N`, so that there can be several, and the default one is often
//! too old for the current Rust. mingw-w64's headers are in `/usr/share/mingw-w64/include` (Debian) or in
//! `/usr/x86_64-w64-mingw32/include`. Tested on Debian 12 and 13, with LLVM 22 and mingw-w64 10 and 12.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The programs of LLVM that are needed.
const PROGRAMS: [&str; 5] = ["lld-link", "llvm-dlltool", "llvm-lib", "llvm-rc", "clang"];

/// The target of Windows programs that link without Microsoft's libraries: the test bench that runs in Wine.
pub const GNU_TARGET: &str = "x86_64-pc-windows-gnu";

/// An installed LLVM with all programs that are needed.
#[derive(Debug, Clone)]
pub struct Llvm {
    /// The folder of its programs.
    pub bin: PathBuf,
    /// The folder of its libclang, which bindgen loads.
    pub libclang: PathBuf,
}

impl Llvm {
    /// The newest complete LLVM.
    #[must_use]
    pub fn find() -> Option<Self> {
        let on_path = env::var_os("PATH").unwrap_or_default();
        debian_versions()
            .into_iter()
            .map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin")))
            .chain(env::split_paths(&on_path))
            .find_map(|bin| Self::at(&bin))
    }

    fn at(bin: &Path) -> Option<Self> {
        let complete = PROGRAMS.iter().all(|program| bin.join(program).is_file());
        let libclang = ["../lib", "../lib64", "../lib/x86_64-linux-gnu"]
            .iter()
            .filter_map(|beside| bin.join(beside).canonicalize().ok())
            .find(|directory| has_libclang(directory))?;
        complete.then(|| Self {
            bin: bin.to_path_buf(),
            libclang,
        })
    }

    /// The path of one of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// clang, set up to compile for the kernel of 64-bit Windows with the headers in these folders.
    #[must_use]
    pub fn clang(&self, includes: &[PathBuf]) -> Command {
        let mut clang = Command::new(self.program("clang"));
        clang.args([
            "--target=x86_64-pc-windows-msvc",
            "-std=gnu17",
            "-fms-compatibility",
            "-fms-extensions",
            // A driver does not link the C runtime, and does not use floating point.
            "-fno-builtin",
            "-mno-implicit-float",
            "-fno-stack-protector",
            // A variable that several files declare is one variable, as with Microsoft's compiler.
            "-fcommon",
            "-D_WIN64",
            "-D_AMD64_",
            "-DAMD64",
            "-D_KERNEL_MODE",
            // The headers are not maintained here.
            "-Wno-everything",
            // A function without a declaration would be called with a guessed signature.
            "-Werror=implicit-function-declaration",
            "-Werror=int-conversion",
        ]);
        for folder in includes {
            clang.arg("-I").arg(folder);
        }
        clang
    }
}

/// The N of each `/usr/lib/llvm-N`, newest first.
fn debian_versions() -> Vec<u32> {
    let mut versions: Vec<u32> = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("llvm-")?
                .parse()
                .ok()
        })
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
}

/// Whether bindgen would find a libclang in the folder: `libclang.so` or `libclang-22.so.1`, but not `libclang-cpp`.
fn has_libclang(directory: &Path) -> bool {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            entry.file_name().to_str().is_some_and(|name| {
                name.starts_with("libclang")
                    && !name.starts_with("libclang-cpp")
                    && name.contains(".so")
            })
        })
}

/// mingw-w64's headers of the kernel, and its import libraries, which have the names of the kernel's exports.
#[derive(Debug, Clone)]
pub struct Mingw {
    /// The folder with `windows.h`, and `ddk/ntifs.h` below it.
    pub include: PathBuf,
    /// The folder with `libntoskrnl.a`.
    pub lib: PathBuf,
}

impl Mingw {
    /// Both folders; `None` if one is missing.
    #[must_use]
    pub fn find() -> Option<Self> {
        Some(Self {
            include: Self::find_include()?,
            lib: Self::find_lib()?,
        })
    }

    /// The folder of the headers.
    #[must_use]
    pub fn find_include() -> Option<PathBuf> {
        [
            "/usr/share/mingw-w64/include",
            "/usr/x86_64-w64-mingw32/include",
        ]
        .into_iter()
        .map(PathBuf::from)
        .find(|directory| directory.join("ddk/ntifs.h").is_file())
    }

    /// The folder of the libraries.
    #[must_use]
    pub fn find_lib() -> Option<PathBuf> {
        let directory = PathBuf::from("/usr/x86_64-w64-mingw32/lib");
        directory
            .join("libntoskrnl.a")
            .is_file()
            .then_some(directory)
    }

    /// The DLL of libgcc, with which programs for [`GNU_TARGET`] unwind; the variant with Win32 threads.
    #[must_use]
    pub fn find_runtime() -> Option<PathBuf> {
        fs::read_dir("/usr/lib/gcc/x86_64-w64-mingw32")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|version| version.file_name().to_string_lossy().ends_with("-win32"))
            .map(|version| version.path().join("libgcc_s_seh-1.dll"))
            .filter(|dll| dll.is_file())
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_llvm_without_a_program_or_libclang_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("llvm-99/bin");
        let lib = folder.path().join("llvm-99/lib");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&lib).unwrap();
        for program in PROGRAMS {
            fs::write(bin.join(program), "").unwrap();
        }
        fs::write(lib.join("libclang-cpp.so.99"), "").unwrap();
        assert!(Llvm::at(&bin).is_none(), "no libclang");
        fs::write(lib.join("libclang-99.so.1"), "").unwrap();
        let llvm = Llvm::at(&bin).unwrap();
        assert_eq!(llvm.libclang, lib.canonicalize().unwrap());
        assert_eq!(llvm.program("lld-link"), bin.join("lld-link"));
        fs::remove_file(bin.join("lld-link")).unwrap();
        assert!(Llvm::at(&bin).is_none(), "no lld-link");
    }
}
