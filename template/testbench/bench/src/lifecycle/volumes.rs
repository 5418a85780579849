//! Volumes and lookup of their instances and device objects.

use crate::lifecycle::devices;
use crate::machine::ledger::bad_handle;
use crate::machine::state::with;
use crate::machine::system::{once, system_block};
use crate::machine::{guest, memory};
use crate::objects::volumes::{Instance, Kind, Volume, VolumeKind};
use crate::vocabulary::layout::{device_object, related_objects, vpb};

/// The directory of Windows on the first volume of a test.
pub const WINDOWS: &str = "\\Windows";

impl Volume {
    /// Returns the device object of the volume, which belongs to the file system.
    #[must_use]
    pub fn device_object(&self) -> u64 {
        let what = format!("the volume device object of {}", self.name);
        let (device_type, driver) = (self.kind.device_type, self.kind.driver);
        devices::of_another(&what, device_type, self.characteristics(), driver)
    }

    /// Returns the `Characteristics` of its devices: `FILE_REMOVABLE_MEDIA`, `FILE_REMOTE_DEVICE`.
    #[must_use]
    pub fn characteristics(&self) -> u32 {
        const NETWORK: u32 = 0x14;
        u32::from(self.kind.removable) | u32::from(self.kind.device_type == NETWORK) << 4
    }

    /// Returns the device object of the underlying disk.
    #[must_use]
    pub fn disk_device_object(&self) -> u64 {
        const DISK: u32 = 0x07;
        let what = format!("the disk device object of {}", self.name);
        let device = devices::of_another(&what, DISK, self.characteristics(), "\\Driver\\volmgr");
        guest::write(device + device_object::SECTOR_SIZE, 512_u16);
        device
    }

    /// Returns the volume parameter block, or 0 if there is no disk.
    #[must_use]
    pub fn parameter_block(&self) -> u64 {
        if !self.kind.disk {
            return 0;
        }
        let what = format!("the volume parameter block of {}", self.name);
        once(&what, || {
            let block = system_block(vpb::SIZE, &what);
            guest::write(block + vpb::HEAD, 0x0060_000A_u32);
            guest::write(block + vpb::FLAGS, 1_u16); // VPB_MOUNTED
            guest::write(block + vpb::DEVICE, self.device_object());
            guest::write(block + vpb::REAL_DEVICE, self.disk_device_object());
            block
        })
    }
}

/// Returns the volumes to which the filter can attach.
#[must_use]
pub fn all() -> Vec<Volume> {
    let flags = with(|state| state.filter.registration.flags);
    let all = all_known().into_iter();
    all.filter(|volume| flags & volume.kind.needs == volume.kind.needs)
        .collect()
}

/// Returns all volumes, whether or not the filter can attach to them.
#[must_use]
pub fn all_known() -> Vec<Volume> {
    if !with(|state| std::mem::replace(&mut state.volumes.created, true)) {
        match with(|state| state.setup.as_ref().map(|setup| setup.volumes.clone())) {
            Some(volumes) => {
                for (letter, kind) in volumes {
                    let _ = add(letter, kind);
                }
            }
            None => {
                for kind in VolumeKind::OF_SCRIPTS {
                    let kind = kind.properties();
                    let _ = create(kind.title, None, kind.device_name, kind);
                }
            }
        }
    }
    with(|state| state.volumes.known.clone())
}

/// Creates the volume of a drive letter.
#[must_use]
pub fn add(letter: char, kind: VolumeKind) -> Volume {
    let properties = kind.properties();
    let name = format!("{letter}:, {}", properties.title);
    let device = if properties.disk {
        let number = u32::from(letter).saturating_sub(u32::from('A')) + 1;
        format!("\\Device\\HarddiskVolume{number}")
    } else {
        properties.device_name.to_owned()
    };
    // The volumes exist until the process ends.
    create(name.leak(), Some(letter), device.leak(), properties)
}

fn create(
    name: &'static str,
    letter: Option<char>,
    device: &'static str,
    kind: &'static Kind,
) -> Volume {
    let volume = Volume {
        name,
        letter,
        handle: memory::handle(format!("the volume handle of {name}")),
        device,
        kind,
    };
    with(|state| state.volumes.known.push(volume.clone()));
    volume
}

/// Removes a volume that is dismounted.
pub fn remove(volume: &Volume) {
    with(|state| {
        let known = &mut state.volumes.known;
        known.retain(|known| known.handle != volume.handle);
    });
}

/// Returns the volume of a drive letter.
#[must_use]
pub fn by_letter(letter: char) -> Option<Volume> {
    let letter = letter.to_ascii_uppercase();
    let mut all = all_known().into_iter();
    all.find(|volume| volume.letter == Some(letter))
}

/// Resolves the path of a file from the object manager's root, such as `\??\C:\a.txt`. Returns its volume and the rest of
/// the path. In a script, the first volume is `C:`, and the others have no letter.
#[must_use]
pub fn resolve(path: &str) -> Option<(Volume, String)> {
    let all = all_known();
    let first = all.first().map(|first| first.handle);
    all.into_iter().find_map(|volume| {
        let is_first = first == Some(volume.handle);
        let letter = volume.letter.or(is_first.then_some('C'))?;
        let mut prefixes = vec![
            (volume.device.to_owned(), ""),
            (format!("\\??\\{letter}:"), ""),
            (format!("\\DosDevices\\{letter}:"), ""),
        ];
        if is_first {
            prefixes.push(("\\SystemRoot".to_owned(), WINDOWS));
        }
        let rest = prefixes.iter().find_map(|(prefix, folder)| {
            let begin = path.get(..prefix.len())?;
            let is_same = begin.eq_ignore_ascii_case(prefix);
            is_same.then(|| format!("{folder}{}", &path[prefix.len()..]))
        })?;
        Some((volume, rest))
    })
}

/// Returns the default volume of files.
#[must_use]
pub fn first() -> Volume {
    all_known().swap_remove(0)
}

/// Returns the volume of a handle. The scenario ends if the handle is invalid.
#[must_use]
pub fn find(handle: u64) -> Volume {
    let volume = all_known()
        .into_iter()
        .find(|volume| volume.handle == handle);
    volume.unwrap_or_else(|| bad_handle("volume handle", handle))
}

/// Looks up an instance.
#[must_use]
pub fn by_instance(handle: u64) -> Option<Instance> {
    with(|state| {
        let mut instances = state.filter.instances.iter();
        instances
            .find(|instance| instance.handle == handle)
            .cloned()
    })
}

/// Fills in an `FLT_RELATED_OBJECTS`.
pub fn fill_objects(address: u64, instance: &Instance, file: u64) {
    let filter = with(|state| state.filter.handle);
    guest::write(
        address + related_objects::LENGTH,
        related_objects::SIZE as u16,
    );
    guest::write(address + related_objects::FILTER, filter);
    guest::write(address + related_objects::VOLUME, instance.volume.handle);
    guest::write(address + related_objects::INSTANCE, instance.handle);
    guest::write(address + related_objects::FILE, file);
}
