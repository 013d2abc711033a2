//! `rmq-scenario run --bless`: each `tests/bless/*.yaml` becomes the `.after` beside it, and `.said`
//! is what is told. `UPDATE_GOLDEN=1 cargo test --test bless` writes both anew.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use support::call;
use tempfile::TempDir;

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bless")
}

/// The names of all files to bless, in order.
fn names() -> Vec<String> {
    let entries = fs::read_dir(goldens()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let mut names: Vec<String> =
        files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// A folder with copies of these files.
fn copies(names: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(goldens().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn run(folder: &Path, how: &[&str], names: &[String]) -> Output {
    let files = names.iter().map(String::as_str);
    call(folder, &["run"].into_iter().chain(how.iter().copied()).chain(files).collect::<Vec<_>>())
}

/// What is told of a file, behind the tables of all.
fn said(output: &Output, name: &str) -> String {
    let stdout = std::str::from_utf8(&output.stdout).unwrap();
    let (_, told) = stdout.rsplit_once(" · seed 1\n").unwrap();
    let of = told.split("\n\n").map(str::trim).find(|text| text.starts_with(name));
    let stderr = std::str::from_utf8(&output.stderr).unwrap();
    let refused = stderr.lines().find(|line| line.starts_with(&format!("error: {name} stays")));
    of.or(refused)
        .map_or_else(|| panic!("nothing is said of {name}: {told}"), |it| format!("{it}\n"))
}

fn compare(path: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, found).unwrap();
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, golden, "{} (UPDATE_GOLDEN=1 writes it anew)", path.display());
}

#[test]
fn every_file_expects_what_happened_and_nothing_else_of_it_has_changed() {
    let names = names();
    assert!(names.len() >= 11, "{names:?}");
    let folder = copies(&names);
    let output = run(folder.path(), &["--bless"], &names);
    for name in &names {
        let after = fs::read_to_string(folder.path().join(name)).unwrap();
        let golden = goldens().join(name);
        compare(&golden.with_extension("after"), &after);
        compare(&golden.with_extension("said"), &said(&output, name));
    }
    // What is blessed passes, and is blessed already.
    let whole = |name: &&String| {
        let told = fs::read_to_string(goldens().join(name).with_extension("said")).unwrap();
        !told.contains("is left to you") && !told.contains("stays as it is")
    };
    let blessed: Vec<String> = names.iter().filter(whole).cloned().collect();
    assert!(blessed.len() >= 7, "{blessed:?}");
    let again = run(folder.path(), &["--bless"], &blessed);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let passed = run(folder.path(), &[], &blessed);
    assert_eq!(passed.status.code(), Some(0), "{passed:?}");
    for name in &blessed {
        assert_eq!(said(&again, name), format!("{name} stays as it is\n"));
    }
    let checked = run_check(folder.path(), &blessed);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

fn run_check(folder: &Path, names: &[String]) -> Output {
    call(folder, &["check"].into_iter().chain(names.iter().map(String::as_str)).collect::<Vec<_>>())
}

#[test]
fn the_difference_is_shown_and_nothing_is_written() {
    let names = ["blanks.yaml".to_owned(), "corrected.yaml".to_owned()];
    let folder = copies(&names);
    let output = run(folder.path(), &["--bless=diff"], &names);
    // The run failed, and still does.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    for line in [
        "--- corrected.yaml",
        "+++ blanks.yaml",
        "-      lost: 3    # why",
        "+      lost: 1..8    # why",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line}: {stdout}");
    }
    for name in &names {
        let (old, new) = (goldens().join(name), folder.path().join(name));
        assert_eq!(fs::read(old).unwrap(), fs::read(new).unwrap());
    }
}

/// A part is for others, too: what it holds stays as it is.
#[test]
fn a_part_stays_as_it_is() {
    let part = "part: p\nvars: { wanted: 3 }\ntopology: { queues: [{ name: q }] }\n\
                workers: [{ name: w, queue: q }]\n";
    let scenario = "scenario: s\ninclude: part.yaml\n\
                    producers: [{ name: p, to: { queue: q }, messages: 5 }]\n\
                    expect: { delivered: $wanted, acked: 4 }\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("part.yaml"), part).unwrap();
    fs::write(folder.path().join("s.yaml"), scenario).unwrap();
    let output = run(folder.path(), &["--bless"], &["s.yaml".to_owned()]);
    // What a variable of the part says is left to the author, and still fails.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = said(&output, "s.yaml");
    assert!(told.contains("delivered is left to you: its value comes from a variable"), "{told}");
    let after = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(after("part.yaml"), part);
    assert_eq!(after("s.yaml"), scenario.replace("acked: 4", "acked: 5"));
}

#[test]
fn a_file_keeps_its_rights_and_a_link_stays_one() {
    let folder = copies(&["silent.yaml".to_owned()]);
    let (file, link) = (folder.path().join("silent.yaml"), folder.path().join("link.yaml"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("silent.yaml", &link).unwrap();
    fs::hard_link(&file, folder.path().join("twin.yaml")).unwrap();
    let output = run(folder.path(), &["--bless"], &["link.yaml".to_owned()]);
    assert!(output.status.success(), "{output:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(&file).unwrap(), fs::read(goldens().join("silent.after")).unwrap());
    let twin = fs::read(folder.path().join("twin.yaml")).unwrap();
    assert_eq!(twin, fs::read(&file).unwrap(), "its other name is one of the same file");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left there");
}

/// Whoever asks for numbers of single queues and workers is told that they do not come, in the exit
/// code too: the run itself passed.
#[test]
fn a_blank_of_a_single_queue_is_left_to_the_author() {
    let scenario = "scenario: s\ntopology: { queues: [{ name: q }] }\n\
                    producers: [{ name: p, to: { queue: q }, messages: 5 }]\n\
                    workers: [{ name: w, queue: q }]\n\
                    expect: { queues: { q: { delivered: , lost: 0 } }, workers: { w: { acked: } } }\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    fs::write(&file, scenario).unwrap();
    let output = run(folder.path(), &["--bless"], &["s.yaml".to_owned()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = said(&output, "s.yaml");
    for path in ["queues.q.delivered", "workers.w.acked"] {
        let line = format!("{path} is left to you: it has no value");
        assert!(told.contains(&line), "{told}");
    }
    assert!(!told.contains("lost is left"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), scenario);
}

#[test]
fn values_of_another_world_are_not_blessed() {
    for words in [&["--set", "ack=auto"][..], &["--seed", "2"]] {
        let output = call(&goldens(), &[&["run", "--bless", "corrected.yaml"], words].concat());
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("cannot be used with"), "{stderr}");
    }
}
