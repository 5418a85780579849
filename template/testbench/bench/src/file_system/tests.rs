//! Tests of the file system.

use super::bytes::{i64_at, text};
use super::name::matches;
use super::set::Renamed;
use super::*;
use crate::vocabulary::file::{
    access, attribute, class, disposition, notify, option, result, share, volume_class,
};
use crate::vocabulary::status::{self, Status};

const NTFS: u32 = 2;
const FAT: u32 = 3;

fn volume(kind: u32) -> FileSystem {
    let features = Features::of(kind).unwrap();
    FileSystem::new(features, 1_000)
}

fn request(path: &str, disposition: u32) -> Create {
    Create {
        path: path.to_owned(),
        disposition,
        access: access::ALL,
        share: share::ALL,
        ..Create::default()
    }
}

/// Creates a file with data.
fn file(volume: &mut FileSystem, path: &str, data: &[u8]) -> OpenId {
    let open = volume
        .create(&request(path, disposition::OPEN_IF))
        .unwrap()
        .open;
    let stream = volume.data_of(open).unwrap();
    volume.write_disk(stream, 0, data, false).unwrap();
    open
}

fn directory(volume: &mut FileSystem, path: &str) -> OpenId {
    let create = Create {
        options: option::DIRECTORY,
        ..request(path, disposition::OPEN_IF)
    };
    volume.create(&create).unwrap().open
}

fn shut(volume: &mut FileSystem, open: OpenId) {
    volume.clean_up(open);
    volume.close(open);
}

fn status_of<T: std::fmt::Debug>(answer: Answer<T>) -> Status {
    match answer {
        Err(Refused::Status(status)) => status,
        other => panic!("{other:?}"),
    }
}

fn names(volume: &mut FileSystem, open: OpenId, expression: &str) -> Vec<String> {
    let request = Enumeration {
        class: class::NAMES,
        expression: Some(expression.to_owned()),
        restart: true,
        single: true,
        length: 600,
    };
    let mut names = Vec::new();
    let mut next = request.clone();
    while let Ok(entry) = volume.enumerate(open, &next) {
        names.push(text(&entry[12..]));
        next.restart = false;
    }
    names
}

#[test]
fn a_disposition_decides_by_the_existence_of_the_file() {
    for (disposition, existing, missing) in [
        (
            disposition::OPEN,
            Ok(result::OPENED),
            Err(status::OBJECT_NAME_NOT_FOUND),
        ),
        (
            disposition::CREATE,
            Err(status::OBJECT_NAME_COLLISION),
            Ok(result::CREATED),
        ),
        (
            disposition::OPEN_IF,
            Ok(result::OPENED),
            Ok(result::CREATED),
        ),
        (
            disposition::OVERWRITE,
            Ok(result::OVERWRITTEN),
            Err(status::OBJECT_NAME_NOT_FOUND),
        ),
        (
            disposition::OVERWRITE_IF,
            Ok(result::OVERWRITTEN),
            Ok(result::CREATED),
        ),
        (
            disposition::SUPERSEDE,
            Ok(result::SUPERSEDED),
            Ok(result::CREATED),
        ),
        (
            6,
            Err(status::INVALID_PARAMETER),
            Err(status::INVALID_PARAMETER),
        ),
    ] {
        let mut volume = volume(NTFS);
        let open = file(&mut volume, "\\A.txt", b"text");
        shut(&mut volume, open);
        for (path, expected) in [("\\a.TXT", existing), ("\\b.txt", missing)] {
            let created = volume.create(&request(path, disposition));
            let seen = match created {
                Ok(created) => Ok(created.information),
                Err(Refused::Status(status)) => Err(status),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(seen, expected, "{path} {disposition}");
        }
        let open = volume
            .create(&request("\\a.txt", disposition::OPEN))
            .unwrap()
            .open;
        let stream = volume.data_of(open).unwrap();
        let kept = matches!(existing, Ok(result::OPENED) | Err(_));
        assert_eq!(volume.size_of(stream), if kept { 4 } else { 0 });
    }
}

#[test]
fn names_and_paths_are_checked() {
    let mut volume = volume(NTFS);
    file(&mut volume, "\\file", b"");
    directory(&mut volume, "\\dir");
    for (path, options, status) in [
        ("\\dir\\missing\\a", 0, status::OBJECT_PATH_NOT_FOUND),
        ("\\file\\a", 0, status::OBJECT_PATH_NOT_FOUND),
        ("\\dir\\missing", 0, status::OBJECT_NAME_NOT_FOUND),
        ("\\a*", 0, status::OBJECT_NAME_INVALID),
        ("\\dir\\\\a", 0, status::OBJECT_NAME_INVALID),
        ("file", 0, status::OBJECT_NAME_INVALID),
        ("\\file\\", 0, status::OBJECT_NAME_INVALID),
        ("\\file:", 0, status::OBJECT_NAME_INVALID),
        ("\\file:missing", 0, status::OBJECT_NAME_NOT_FOUND),
        ("\\file", option::DIRECTORY, status::NOT_A_DIRECTORY),
        ("\\dir", option::NON_DIRECTORY, status::FILE_IS_A_DIRECTORY),
    ] {
        let create = Create {
            options,
            ..request(path, disposition::OPEN)
        };
        assert_eq!(status_of(volume.create(&create)), status, "{path}");
    }
    let long = format!("\\{}", "x".repeat(256));
    let create = request(&long, disposition::CREATE);
    assert_eq!(
        status_of(volume.create(&create)),
        status::OBJECT_NAME_INVALID
    );
    for path in ["\\", "\\dir\\", "\\file::$DATA"] {
        volume.create(&request(path, disposition::OPEN)).unwrap();
    }
}

#[test]
fn a_path_is_relative_to_a_related_directory() {
    let mut volume = volume(NTFS);
    let related = directory(&mut volume, "\\dir");
    let create = Create {
        related: Some(related),
        ..request("a.txt", disposition::CREATE)
    };
    let open = volume.create(&create).unwrap().open;
    assert_eq!(volume.path_of(open).unwrap(), "\\dir\\a.txt");
    let absolute = Create {
        path: "\\a.txt".to_owned(),
        ..create
    };
    assert_eq!(
        status_of(volume.create(&absolute)),
        status::INVALID_PARAMETER
    );
    let target = Create {
        target_directory: true,
        ..request("\\dir\\new", disposition::OPEN)
    };
    let created = volume.create(&target).unwrap();
    assert_eq!(created.information, result::DOES_NOT_EXIST);
    assert_eq!(created.target.as_deref(), Some("new"));
    assert_eq!(volume.path_of(created.open).unwrap(), "\\dir");
}

#[test]
fn share_access_is_compared_in_both_directions() {
    let read = access::READ_DATA;
    let write = access::WRITE_DATA;
    for (first, first_share, second, second_share, granted) in [
        (read, 1, read, 1, true),
        (read, 1, write, 7, false),
        (read, 2, write, 1, true),
        (read, 3, write, 2, false),
        (access::DELETE, 7, read, 3, false),
        (access::READ_ATTRIBUTES, 0, write, 0, true),
        (write, 0, access::READ_ATTRIBUTES, 0, true),
    ] {
        let mut volume = volume(NTFS);
        let open = file(&mut volume, "\\a", b"");
        shut(&mut volume, open);
        let create = |access, share| Create {
            access,
            share,
            ..request("\\a", disposition::OPEN)
        };
        let open = volume.create(&create(first, first_share)).unwrap().open;
        let other = volume.create(&create(second, second_share));
        assert_eq!(other.is_ok(), granted, "{first:x} {second:x}");
        if !granted {
            volume.clean_up(open);
            volume.create(&create(second, second_share)).unwrap();
        }
    }
}

#[test]
fn a_read_only_file_is_neither_written_nor_deleted() {
    let mut volume = volume(NTFS);
    let create = Create {
        attributes: attribute::READ_ONLY,
        ..request("\\a", disposition::CREATE)
    };
    let open = volume.create(&create).unwrap().open;
    assert_eq!(
        status_of(volume.set(open, class::DISPOSITION, &[1])),
        status::CANNOT_DELETE
    );
    shut(&mut volume, open);
    for (disposition, access, options, status) in [
        (
            disposition::OPEN,
            access::WRITE_DATA,
            0,
            status::ACCESS_DENIED,
        ),
        (
            disposition::OVERWRITE_IF,
            access::READ_DATA,
            0,
            status::ACCESS_DENIED,
        ),
        (
            disposition::OPEN,
            access::DELETE,
            option::DELETE_ON_CLOSE,
            status::CANNOT_DELETE,
        ),
    ] {
        let create = Create {
            options,
            access,
            ..request("\\a", disposition)
        };
        assert_eq!(status_of(volume.create(&create)), status);
    }
}

#[test]
fn a_file_is_deleted_with_its_last_handle() {
    let mut volume = volume(NTFS);
    let one = file(&mut volume, "\\a", b"");
    let other = volume
        .create(&request("\\a", disposition::OPEN))
        .unwrap()
        .open;
    volume.set(one, class::DISPOSITION, &[1]).unwrap();
    let create = request("\\a", disposition::OPEN);
    assert_eq!(status_of(volume.create(&create)), status::DELETE_PENDING);
    shut(&mut volume, one);
    assert_eq!(status_of(volume.create(&create)), status::DELETE_PENDING);
    shut(&mut volume, other);
    assert_eq!(
        status_of(volume.create(&create)),
        status::OBJECT_NAME_NOT_FOUND
    );
    // With POSIX semantics, with the handle that requested it.
    let one = file(&mut volume, "\\a", b"");
    let other = volume
        .create(&request("\\a", disposition::OPEN))
        .unwrap()
        .open;
    volume
        .set(one, class::DISPOSITION_EX, &[3, 0, 0, 0])
        .unwrap();
    shut(&mut volume, one);
    assert_eq!(
        status_of(volume.create(&create)),
        status::OBJECT_NAME_NOT_FOUND
    );
    assert_eq!(volume.path_of(other), None);
    // On close.
    let create = Create {
        options: option::DELETE_ON_CLOSE,
        ..request("\\b", disposition::CREATE)
    };
    let open = volume.create(&create).unwrap().open;
    shut(&mut volume, open);
    assert_eq!(
        status_of(volume.create(&request("\\b", disposition::OPEN))),
        status::OBJECT_NAME_NOT_FOUND
    );
    // A directory only if it is empty.
    let parent = directory(&mut volume, "\\dir");
    file(&mut volume, "\\dir\\a", b"");
    assert_eq!(
        status_of(volume.set(parent, class::DISPOSITION, &[1])),
        status::DIRECTORY_NOT_EMPTY
    );
}

#[test]
fn streams_and_links_depend_on_the_file_system() {
    let mut ntfs = volume(NTFS);
    let open = file(&mut ntfs, "\\a", b"data");
    let stream = file(&mut ntfs, "\\a:s", b"stream");
    assert_eq!(ntfs.path_of(stream).unwrap(), "\\a:s");
    let list = ntfs.query(open, class::STREAM, 0).unwrap();
    assert_eq!(text(&list[24..38]), "::$DATA");
    assert_eq!(text(&list[40 + 24..]), ":s:$DATA");
    let to = Renamed {
        directory: None,
        name: "\\b".to_owned(),
        replace: false,
    };
    ntfs.link(open, &to).unwrap();
    let other = ntfs
        .create(&request("\\b", disposition::OPEN))
        .unwrap()
        .open;
    assert_eq!(ntfs.data_of(other), ntfs.data_of(open));
    let mut fat = volume(FAT);
    let open = file(&mut fat, "\\a", b"data");
    assert_eq!(status_of(fat.link(open, &to)), status::NOT_SUPPORTED);
    assert_eq!(
        status_of(fat.create(&request("\\a:s", disposition::CREATE))),
        status::OBJECT_NAME_INVALID
    );
    assert_eq!(
        status_of(fat.security(open)),
        status::INVALID_DEVICE_REQUEST
    );
    assert_eq!(
        status_of(fat.set(open, class::DISPOSITION_EX, &[1, 0, 0, 0])),
        status::INVALID_PARAMETER
    );
}

#[test]
fn extended_attributes_are_set_and_deleted() {
    let list = |value: &[u8]| {
        let mut list = vec![0, 0, 0, 0, 0, 1, value.len() as u8, 0, b'a', 0];
        list.extend(value);
        list
    };
    let mut ntfs = volume(NTFS);
    let open = file(&mut ntfs, "\\a", b"");
    assert_eq!(status_of(ntfs.attributes_of(open)), status::NO_EAS_ON_FILE);
    ntfs.set_attributes_of(open, &list(b"value")).unwrap();
    let attributes = ntfs.attributes_of(open).unwrap();
    assert_eq!(&attributes[8..], b"A\0value");
    assert_eq!(
        status_of(ntfs.set_attributes_of(open, &list(b"value")[..12])),
        status::INFO_LENGTH_MISMATCH
    );
    ntfs.set_attributes_of(open, &list(b"")).unwrap();
    assert_eq!(status_of(ntfs.attributes_of(open)), status::NO_EAS_ON_FILE);
    let mut fat = volume(FAT);
    let open = file(&mut fat, "\\a", b"");
    assert_eq!(
        status_of(fat.attributes_of(open)),
        status::EAS_NOT_SUPPORTED
    );
}

#[test]
fn a_rename_moves_a_file_and_replaces_only_if_asked() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"a");
    let other = file(&mut volume, "\\b", b"b");
    let directory = directory(&mut volume, "\\dir");
    let to = |name: &str, replace| Renamed {
        directory: None,
        name: name.to_owned(),
        replace,
    };
    assert_eq!(
        status_of(volume.rename(open, &to("\\b", false))),
        status::OBJECT_NAME_COLLISION
    );
    assert_eq!(
        status_of(volume.rename(open, &to("\\b", true))),
        status::ACCESS_DENIED
    );
    shut(&mut volume, other);
    volume.rename(open, &to("\\B", true)).unwrap();
    assert_eq!(volume.path_of(open).unwrap(), "\\B");
    let inside = Renamed {
        directory: Some(directory),
        ..to("c", false)
    };
    volume.rename(open, &inside).unwrap();
    assert_eq!(volume.path_of(open).unwrap(), "\\dir\\c");
    assert_eq!(
        status_of(volume.rename(directory, &to("\\dir\\below", false))),
        status::INVALID_PARAMETER
    );
    assert_eq!(
        status_of(volume.rename(directory, &to("\\other", false))),
        status::ACCESS_DENIED
    );
    shut(&mut volume, open);
    volume.rename(directory, &to("\\other", false)).unwrap();
    let open = volume
        .create(&request("\\other\\C", disposition::OPEN))
        .unwrap()
        .open;
    assert_eq!(volume.path_of(open).unwrap(), "\\other\\c");
}

#[test]
fn an_enumeration_returns_the_entries_that_match() {
    let mut volume = volume(NTFS);
    let root = volume
        .create(&request("\\", disposition::OPEN))
        .unwrap()
        .open;
    let parent = directory(&mut volume, "\\dir");
    assert_eq!(names(&mut volume, parent, "*"), [".", ".."]);
    for name in ["b.txt", "A.TXT", "a.b.txt", "c"] {
        file(&mut volume, &format!("\\dir\\{name}"), b"1234");
    }
    assert_eq!(names(&mut volume, root, "*"), ["dir"]);
    assert_eq!(
        names(&mut volume, parent, "<.txt"),
        ["a.b.txt", "A.TXT", "b.txt"]
    );
    assert_eq!(names(&mut volume, parent, "?.txt"), ["A.TXT", "b.txt"]);
    let mut enumeration = Enumeration {
        class: class::ID_BOTH_DIRECTORY,
        expression: Some("z*".to_owned()),
        restart: true,
        single: false,
        length: 1000,
    };
    assert_eq!(
        status_of(volume.enumerate(parent, &enumeration)),
        status::NO_SUCH_FILE
    );
    enumeration.expression = Some("b*".to_owned());
    let entries = volume.enumerate(parent, &enumeration).unwrap();
    assert_eq!((entries.len(), entries[40]), (104 + 10, 4));
    assert_eq!(text(&entries[104..]), "b.txt");
    enumeration.restart = false;
    assert_eq!(
        status_of(volume.enumerate(parent, &enumeration)),
        status::NO_MORE_FILES
    );
    enumeration.restart = true;
    enumeration.length = 100;
    assert_eq!(
        status_of(volume.enumerate(parent, &enumeration)),
        status::BUFFER_OVERFLOW
    );
}

#[test]
fn expressions_with_dos_wildcards_match_as_documented() {
    for (expression, name, matching) in [
        ("*", "", true),
        ("*.*", "name", false),
        ("<.txt", "a.b.txt", true),
        ("<.b", "a.b.txt", false),
        ("a>>.txt", "ab.txt", true),
        ("a>.txt", "abc.txt", false),
        ("name\"", "name", true),
        ("name\"*", "name.x", true),
        ("\u{e4}*", "\u{c4}b", true),
    ] {
        assert_eq!(matches(expression, name), matching, "{expression} {name}");
    }
}

#[test]
fn a_change_completes_the_notifications_that_wait_for_it() {
    let mut volume = volume(NTFS);
    let root = volume
        .create(&request("\\", disposition::OPEN))
        .unwrap()
        .open;
    let parent = directory(&mut volume, "\\dir");
    let watch = |ticket, tree, length| Watch {
        ticket,
        filter: notify::FILE_NAME,
        tree,
        length,
    };
    volume.watch(root, watch(1, true, 100)).unwrap();
    volume.watch(parent, watch(2, false, 4)).unwrap();
    assert_eq!(volume.take_completed(), []);
    let open = file(&mut volume, "\\dir\\a", b"");
    let completed = volume.take_completed();
    assert_eq!(completed.len(), 2, "{completed:?}");
    for completed in completed {
        if completed.ticket == 1 {
            assert_eq!(completed.status, status::SUCCESS);
            assert_eq!(completed.data[4], notify::ADDED as u8);
            assert_eq!(text(&completed.data[12..]), "dir\\a");
        } else {
            assert_eq!(completed.status, status::NOTIFY_ENUM_DIR);
        }
    }
    // A change between two requests is not lost.
    let to = Renamed {
        directory: None,
        name: "b".to_owned(),
        replace: false,
    };
    volume.rename(open, &to).unwrap();
    volume.watch(root, watch(3, true, 100)).unwrap();
    let [completed] = &volume.take_completed()[..] else {
        panic!("one request is completed")
    };
    assert_eq!(
        (completed.ticket, completed.data[4]),
        (3, notify::RENAMED_OLD as u8)
    );
    volume.watch(parent, watch(4, false, 100)).unwrap();
    let _ = volume.take_completed();
    volume.watch(root, watch(5, true, 100)).unwrap();
    assert!(volume.cancel(5) && !volume.cancel(5));
    assert_eq!(volume.take_completed()[0].status, status::CANCELLED);
    volume.watch(root, watch(6, true, 100)).unwrap();
    volume.clean_up(root);
    assert_eq!(volume.take_completed()[0].status, status::NOTIFY_CLEANUP);
}

#[test]
fn locks_prevent_the_requests_of_others() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"0123456789");
    let other = volume
        .create(&request("\\a", disposition::OPEN))
        .unwrap()
        .open;
    let range = |offset, exclusive| Range {
        offset,
        length: 4,
        process: 1,
        key: 0,
        exclusive,
    };
    assert_eq!(volume.lock(open, range(0, true), None), Ok(true));
    assert_eq!(
        status_of(volume.lock(other, range(3, false), None)),
        status::LOCK_NOT_GRANTED
    );
    assert_eq!(volume.lock(other, range(4, false), None), Ok(true));
    assert_eq!(
        status_of(volume.check_locks(other, 1, 0, 1, false)),
        status::FILE_LOCK_CONFLICT
    );
    volume.check_locks(open, 1, 0, 1, true).unwrap();
    volume.check_locks(open, 1, 4, 1, false).unwrap();
    assert_eq!(
        status_of(volume.check_locks(open, 1, 4, 1, true)),
        status::FILE_LOCK_CONFLICT
    );
    assert_eq!(volume.lock(other, range(2, true), Some(7)), Ok(false));
    assert_eq!(
        status_of(volume.unlock(open, range(1, true))),
        status::RANGE_NOT_LOCKED
    );
    volume.unlock(open, range(0, true)).unwrap();
    assert_eq!(volume.take_completed(), []);
    volume.unlock_process(other, 1, None).unwrap();
    assert_eq!(volume.take_completed()[0].ticket, 7);
}

#[test]
fn the_cache_needs_pages_and_writes_them_later() {
    let mut volume = volume(NTFS);
    let data: Vec<u8> = (0..10_000_u32).map(|at| at as u8).collect();
    let open = file(&mut volume, "\\a", &data);
    let stream = volume.data_of(open).unwrap();
    assert_eq!(
        volume.read_cached(stream, 4000, 200),
        Ok(Cached::Missing(vec![0, 1]))
    );
    for page in [0, 1] {
        let bytes = volume.read_disk(stream, page * PAGE, PAGE).unwrap();
        volume.fill_page(stream, page, &bytes);
    }
    let read = volume.read_cached(stream, 4000, 200).unwrap();
    assert_eq!(read, Cached::Done(data[4000..4200].to_vec()));
    // Part of the last page is written, so it is needed.
    assert_eq!(
        volume.write_cached(stream, 9_999, b"xyz"),
        Ok(Cached::Missing(vec![2]))
    );
    let bytes = volume.read_disk(stream, 2 * PAGE, PAGE).unwrap();
    assert_eq!(bytes.len(), 10_000 - 8192);
    volume.fill_page(stream, 2, &bytes);
    volume.write_cached(stream, 9_999, b"xyz").unwrap();
    assert_eq!(
        (volume.size_of(stream), volume.dirty_pages(stream)),
        (10_002, vec![2])
    );
    assert_eq!(
        volume.read_disk(stream, 9_998, 10).unwrap(),
        [data[9_998], data[9_999], 0, 0]
    );
    let dirty = volume.take_dirty(stream, 2).unwrap();
    assert_eq!(dirty.len() as u64 % SECTOR, 0);
    volume.write_disk(stream, 2 * PAGE, &dirty, true).unwrap();
    assert_eq!(volume.size_of(stream), 10_002);
    assert_eq!(
        volume.read_disk(stream, 9_998, 10).unwrap(),
        [data[9_998], b'x', b'y', b'z']
    );
    assert_eq!(
        status_of(volume.read_cached(stream, 10_002, 1)),
        status::END_OF_FILE
    );
    // A page that is written whole, and pages past the end, are not needed.
    assert_eq!(
        volume.write_cached(stream, 5 * PAGE, &[1; PAGE as usize]),
        Ok(Cached::Done(()))
    );
    volume.map(stream).unwrap();
    assert_eq!(
        status_of(volume.resize(stream, 0)),
        status::USER_MAPPED_FILE
    );
    volume.unmap(stream);
    volume.resize(stream, 3).unwrap();
    assert_eq!(volume.read_disk(stream, 0, 10).unwrap(), data[..3]);
}

#[test]
fn information_has_the_documented_layout() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a.txt", &[0; 5000]);
    for class in 1..class::COUNT {
        if let (Ok(bytes), Some(size)) = (volume.query(open, class, 7), fixed_size(class)) {
            assert!(bytes.len() >= size, "{class}");
        }
    }
    let standard = volume.query(open, class::STANDARD, 0).unwrap();
    assert_eq!(i64_at(&standard, 8), Ok(5000));
    assert_eq!((standard[16], standard[20], standard[21]), (1, 0, 0));
    let all = volume.query(open, class::ALL, 7).unwrap();
    assert_eq!(i64_at(&all, 80), Ok(7));
    assert_eq!(text(&all[100..]), "\\a.txt");
    assert_eq!(
        status_of(volume.query(open, class::RENAME, 0)),
        status::INVALID_INFO_CLASS
    );
    assert!(matches!(
        volume.query(open, 33, 0),
        Err(Refused::NotModelled(_))
    ));
    let time = 77_i64.to_le_bytes();
    let basic = [[0; 8], [0; 8], time, [0; 8], [1, 0, 0, 0, 0, 0, 0, 0]].concat();
    volume.set(open, class::BASIC, &basic).unwrap();
    let basic = volume.query(open, class::BASIC, 0).unwrap();
    assert_eq!((i64_at(&basic, 16), basic[32]), (Ok(77), 1));
    for class in 1..volume_class::COUNT {
        let _ = volume.query_volume(class, 8, 0);
    }
    let attributes = volume.query_volume(volume_class::ATTRIBUTE, 8, 0).unwrap();
    assert_eq!(text(&attributes[12..]), "NTFS");
    assert_eq!(
        status_of(volume.query_volume(99, 8, 0)),
        status::INVALID_INFO_CLASS
    );
}

#[test]
fn each_link_of_a_file_is_renamed_and_deleted_by_itself() {
    let mut volume = volume(NTFS);
    let root = directory(&mut volume, "\\");
    let inside = directory(&mut volume, "\\d");
    let first = file(&mut volume, "\\a", b"text");
    let to = |name: &str, replace| Renamed {
        directory: None,
        name: name.to_owned(),
        replace,
    };
    volume.link(first, &to("\\b", false)).unwrap();
    assert_eq!(
        status_of(volume.link(first, &to("\\a", false))),
        status::OBJECT_NAME_COLLISION
    );
    assert_eq!(names(&mut volume, root, "*"), ["a", "b", "d"]);

    let second = volume
        .create(&request("\\b", disposition::OPEN))
        .unwrap()
        .open;
    assert_eq!(volume.path_of(first).unwrap(), "\\a");
    assert_eq!(volume.path_of(second).unwrap(), "\\b");
    volume.rename(second, &to("\\d\\c", false)).unwrap();
    assert_eq!(volume.path_of(second).unwrap(), "\\d\\c");
    assert_eq!(names(&mut volume, root, "*"), ["a", "d"]);

    volume.set(first, class::DISPOSITION, &[1]).unwrap();
    shut(&mut volume, first);
    assert_eq!(names(&mut volume, root, "*"), ["d"]);
    assert_eq!(names(&mut volume, inside, "c"), ["c"]);
    let stream = volume.data_of(second).unwrap();
    assert_eq!(volume.read_disk(stream, 0, 9).unwrap(), b"text");
}

#[test]
fn the_pages_of_a_deleted_file_are_not_written() {
    let mut volume = volume(NTFS);
    let create = Create {
        options: option::DELETE_ON_CLOSE,
        ..request("\\a", disposition::CREATE)
    };
    let open = volume.create(&create).unwrap().open;
    let stream = volume.data_of(open).unwrap();
    assert_eq!(
        volume.write_cached(stream, 0, b"text").unwrap(),
        Cached::Done(())
    );
    assert_eq!(volume.dirty_pages(stream), [0]);
    volume.clean_up(open);
    assert!(volume.dirty_pages(stream).is_empty());
}

#[test]
fn a_page_whose_write_failed_remains_dirty() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"");
    let stream = volume.data_of(open).unwrap();
    volume.write_cached(stream, 0, b"text").unwrap();
    assert!(volume.take_dirty(stream, 0).is_some());
    assert!(volume.dirty_pages(stream).is_empty());
    volume.mark_dirty(stream, 0, 1);
    assert_eq!(volume.dirty_pages(stream), [0]);
}

#[test]
fn a_directory_with_entries_is_not_deleted_on_close() {
    let mut volume = volume(NTFS);
    let create = Create {
        options: option::DIRECTORY | option::DELETE_ON_CLOSE,
        ..request("\\d", disposition::CREATE)
    };
    let open = volume.create(&create).unwrap().open;
    let inside = file(&mut volume, "\\d\\a", b"");
    shut(&mut volume, open);
    shut(&mut volume, inside);
    let open = volume
        .create(&request("\\d\\a", disposition::OPEN))
        .unwrap();
    shut(&mut volume, open.open);
    let on_root = Create {
        options: option::DIRECTORY | option::DELETE_ON_CLOSE,
        ..request("\\", disposition::OPEN)
    };
    let root = volume.create(&on_root).unwrap().open;
    shut(&mut volume, root);
    file(&mut volume, "\\b", b"");
}

#[test]
fn overwriting_a_file_removes_its_streams_and_needs_the_right_to_write() {
    let mut volume = volume(NTFS);
    for path in ["\\a", "\\a:meta"] {
        let open = file(&mut volume, path, b"x");
        shut(&mut volume, open);
    }
    let reader = volume
        .create(&Create {
            access: access::READ_DATA,
            share: 1,
            ..request("\\a", disposition::OPEN)
        })
        .unwrap()
        .open;
    let overwrite = Create {
        access: access::READ_DATA,
        ..request("\\a", disposition::OVERWRITE)
    };
    assert_eq!(
        status_of(volume.create(&overwrite)),
        status::SHARING_VIOLATION
    );
    shut(&mut volume, reader);
    let open = volume.create(&overwrite).unwrap().open;
    shut(&mut volume, open);
    assert_eq!(
        status_of(volume.create(&request("\\a:meta", disposition::OPEN))),
        status::OBJECT_NAME_NOT_FOUND
    );
}

#[test]
fn a_transfer_of_no_bytes_changes_nothing() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"text");
    let stream = volume.data_of(open).unwrap();
    assert_eq!(volume.read_disk(stream, 512, 0).unwrap(), b"");
    assert_eq!(
        volume.read_cached(stream, 512, 0).unwrap(),
        Cached::Done(Vec::new())
    );
    volume.write_cached(stream, 100, b"").unwrap();
    volume.write_disk(stream, 100, b"", false).unwrap();
    assert_eq!(volume.size_of(stream), 4);
}

#[test]
fn information_is_queried_after_the_handles_are_closed() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"text");
    volume.clean_up(open);
    volume.query(open, class::STANDARD, 0).unwrap();
    let on_directory = directory(&mut volume, "\\");
    volume.clean_up(on_directory);
    assert_eq!(
        status_of(volume.enumerate(
            on_directory,
            &Enumeration {
                class: class::NAMES,
                expression: None,
                restart: true,
                single: true,
                length: 600,
            }
        )),
        status::FILE_CLOSED
    );
}

#[test]
fn what_exists_is_not_created() {
    let mut volume = volume(NTFS);
    let open = file(&mut volume, "\\a", b"");
    shut(&mut volume, open);
    directory(&mut volume, "\\d");
    for (path, options) in [
        ("\\a", option::DIRECTORY),
        ("\\a", 0),
        ("\\d", option::NON_DIRECTORY),
        ("\\d", option::DIRECTORY),
    ] {
        let create = Create {
            options,
            ..request(path, disposition::CREATE)
        };
        assert_eq!(
            status_of(volume.create(&create)),
            status::OBJECT_NAME_COLLISION,
            "{path}"
        );
    }
}

#[test]
fn fat_has_no_streams_to_query() {
    let mut volume = volume(FAT);
    let open = file(&mut volume, "\\a", b"");
    for class in [class::STREAM, class::ATTRIBUTE_TAG] {
        assert_eq!(
            status_of(volume.query(open, class, 0)),
            status::INVALID_PARAMETER
        );
    }
}

#[test]
fn an_enumeration_goes_on_after_a_deletion() {
    let mut volume = volume(NTFS);
    let root = directory(&mut volume, "\\");
    for name in ["\\a", "\\b", "\\c"] {
        let open = file(&mut volume, name, b"");
        shut(&mut volume, open);
    }
    let mut request = Enumeration {
        class: class::NAMES,
        expression: None,
        restart: true,
        single: true,
        length: 600,
    };
    let mut seen = Vec::new();
    while let Ok(entry) = volume.enumerate(root, &request) {
        let name = text(&entry[12..]);
        let open = volume
            .create(&self::request(&format!("\\{name}"), disposition::OPEN))
            .unwrap()
            .open;
        volume.set(open, class::DISPOSITION, &[1]).unwrap();
        shut(&mut volume, open);
        seen.push(name);
        request.restart = false;
    }
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn the_share_access_of_others_can_be_ignored() {
    let mut volume = volume(NTFS);
    file(&mut volume, "\\a", b"");
    let mut create = Create {
        share: 0,
        ..request("\\a", disposition::OPEN)
    };
    assert_eq!(status_of(volume.create(&create)), status::SHARING_VIOLATION);
    create.ignore_share = true;
    volume.create(&create).unwrap();
}
