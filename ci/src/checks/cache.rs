//! Keeps results between runs, each under the digest of its inputs.
//!
//! A driver of the same sources, or a verdict of the same bench on the same driver, is reused. Failures are not kept. A
//! result that is not used for [`DAYS`] days is removed. The folder is in ci/target, so that `cargo clean` removes it;
//! `cargo xtask test --fresh` does not read it.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// If this environment variable is set, nothing is read from the cache.
pub const FRESH: &str = "XTASK_FRESH";

const DAYS: u64 = 14;

static IGNORED: AtomicBool = AtomicBool::new(false);

/// Stops this process from reading the cache.
pub fn ignore() {
    IGNORED.store(true, Ordering::Relaxed);
}

/// The inputs of a result.
#[derive(Clone)]
pub struct Inputs {
    kind: &'static str,
    digest: Sha256,
}

impl Inputs {
    /// The inputs of a result of a kind, which is the name of its folder.
    #[must_use]
    pub fn of(kind: &'static str) -> Self {
        Self {
            kind,
            digest: Sha256::new(),
        }
    }

    /// Adds a value under a name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        // The lengths keep two different sequences of values from giving the same bytes.
        for part in [name.as_bytes(), value.as_ref()] {
            self.digest.update((part.len() as u64).to_le_bytes());
            self.digest.update(part);
        }
        self
    }

    /// Adds the file `place`, or all files of the folder `place`, with their paths.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn with_files(mut self, root: &Path, place: &str) -> anyhow::Result<Self> {
        let path = root.join(place);
        if path.is_dir() {
            let mut names = Vec::new();
            for entry in fs::read_dir(&path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            for name in names {
                if crate::is_build_folder(&path.join(&name)) {
                    continue;
                }
                self = self.with_files(root, &format!("{place}/{name}"))?;
            }
            Ok(self)
        } else if path.exists() {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(self.with(place, bytes))
        } else {
            Ok(self.with(place, "is not there"))
        }
    }

    /// The digest of the inputs, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = self.digest.clone().finalize();
        bytes.iter().fold(String::new(), |mut digest, byte| {
            // Writing to a string does not fail.
            let _ = write!(digest, "{byte:02x}");
            digest
        })
    }

    fn path(&self) -> PathBuf {
        folder().join(self.kind).join(self.digest())
    }

    /// The kept result of these inputs, or else the result of `make`, which is then kept.
    ///
    /// # Errors
    ///
    /// Those of `make`, or the result cannot be written.
    pub fn result(
        &self,
        make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Vec<u8>> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        // If two test programs need the same driver at the same time, one of them makes it.
        let path = self.path();
        fs::create_dir_all(path.parent().context("the result has no folder")?)?;
        let lock = path.with_extension("lock");
        let being_made = File::create(&lock)?;
        being_made.lock()?;
        let result = match self.kept() {
            Some(kept) => Ok(kept),
            None => make().and_then(|result| self.keep(&result).map(|()| result)),
        };
        let _ = fs::remove_file(&lock);
        result
    }

    /// The kept result of these inputs.
    #[must_use]
    pub fn kept(&self) -> Option<Vec<u8>> {
        if env::var_os(FRESH).is_some() || IGNORED.load(Ordering::Relaxed) {
            return None;
        }
        let path = self.path();
        let result = fs::read(&path).ok()?;
        // The time of modification is that of the last use. If it cannot be set, the result is removed early.
        if let Ok(file) = File::options().write(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(result)
    }

    /// Keeps a result of these inputs.
    ///
    /// # Errors
    ///
    /// The result cannot be written.
    pub fn keep(&self, result: &[u8]) -> anyhow::Result<()> {
        let path = self.path();
        let folder = path.parent().context("the result has no folder")?;
        fs::create_dir_all(folder)?;
        // The file is renamed into place, because another process may be reading it.
        let draft = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(&draft, result)?;
        draft.persist(&path)?;
        Ok(())
    }
}

fn folder() -> PathBuf {
    crate::repository().join("ci/target/kept")
}

/// Removes the results that were not used for [`DAYS`] days. Errors are ignored.
pub fn remove_old() {
    remove_older_than(&folder(), Duration::from_secs(DAYS * 24 * 60 * 60));
}

fn remove_older_than(folder: &Path, age: Duration) {
    let kinds = fs::read_dir(folder).into_iter().flatten().flatten();
    let results = kinds.flat_map(|kind| fs::read_dir(kind.path()).into_iter().flatten().flatten());
    for result in results {
        let modified = result.metadata().and_then(|data| data.modified());
        if modified.is_ok_and(|time| time.elapsed().is_ok_and(|passed| passed > age)) {
            let _ = fs::remove_file(result.path());
        }
    }
}

/// The output of `rustc -vV`.
///
/// # Errors
///
/// rustc cannot be started or fails.
pub fn compiler() -> anyhow::Result<&'static str> {
    static VERSION: LazyLock<Option<String>> = LazyLock::new(|| {
        let output = Command::new("rustc").arg("-vV").output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let version = VERSION.as_deref();
    ensure!(version.is_some(), "rustc -vV failed: is rustup installed?");
    Ok(version.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::TempDir, Inputs) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/c.rs"), "text").unwrap();
        let inputs = Inputs::of("sample").with_files(folder.path(), "a").unwrap();
        (folder, inputs)
    }

    #[test]
    fn each_input_changes_the_digest() {
        let (folder, inputs) = sample();
        let path = inputs.path();
        let again = || Inputs::of("sample").with_files(folder.path(), "a").unwrap();
        assert_eq!(again().path(), path);

        fs::write(folder.path().join("a/b/c.rs"), "other").unwrap();
        assert_ne!(again().path(), path);
        fs::write(folder.path().join("a/b/c.rs"), "text").unwrap();
        assert_eq!(again().path(), path);

        fs::write(folder.path().join("a/d"), "").unwrap();
        assert_ne!(again().path(), path);
        fs::remove_file(folder.path().join("a/d")).unwrap();

        fs::rename(
            folder.path().join("a/b/c.rs"),
            folder.path().join("a/b/d.rs"),
        )
        .unwrap();
        assert_ne!(again().path(), path);

        let missing = Inputs::of("sample").with_files(folder.path(), "e").unwrap();
        assert_ne!(missing.path(), Inputs::of("sample").path());
        let one = Inputs::of("sample").with("ab", "c");
        assert_ne!(one.path(), Inputs::of("sample").with("a", "bc").path());
        assert_ne!(one.path(), Inputs::of("other").with("ab", "c").path());
    }

    #[test]
    fn a_result_is_made_once_and_a_failure_each_time() {
        // Unique to this run, because a kept result outlives the test.
        let this = format!("{:?}", SystemTime::now());
        let inputs = Inputs::of("unit-test").with("this", this);
        let failed = inputs.result(|| anyhow::bail!("a failure"));
        assert_eq!(failed.unwrap_err().to_string(), "a failure");
        assert_eq!(inputs.result(|| Ok(vec![1])).unwrap(), [1]);
        assert_eq!(inputs.result(|| anyhow::bail!("made twice")).unwrap(), [1]);
        fs::remove_file(inputs.path()).unwrap();
    }

    #[test]
    fn old_results_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("kind")).unwrap();
        for (name, days) in [("old", 15), ("new", 13)] {
            let file = File::create(folder.path().join("kind").join(name)).unwrap();
            let age = Duration::from_secs(days * 24 * 60 * 60);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        remove_older_than(folder.path(), Duration::from_secs(DAYS * 24 * 60 * 60));
        assert!(!folder.path().join("kind/old").exists());
        assert!(folder.path().join("kind/new").exists());
    }
}
