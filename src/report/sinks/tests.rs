//! Reports to files of every kind, and the paths that are refused.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;
use crate::report::{fixture, json};

fn arg(path: &Path) -> ReportArg {
    format!("json={}", path.display()).parse().expect("right")
}

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("report.json");
    (dir, path)
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).expect("a directory");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> =
        entries.map(|it| name(it).into_string().expect("names are text")).collect();
    names.sort();
    names
}

fn written(path: &Path) -> String {
    fs::read_to_string(path).expect("it was written")
}

#[test]
fn a_longer_report_leaves_nothing_behind_a_shorter_one() {
    let (dir, path) = folder();
    let twin = dir.path().join("twin");
    for linked in [false, true] {
        fs::write(&path, "old".repeat(10_000)).expect("written");
        if linked {
            fs::hard_link(&path, &twin).expect("linked");
        }
        let mut sinks = Sinks::open(&[arg(&path)]).expect("opened");
        assert_eq!(written(&path), "old".repeat(10_000));
        let (full, empty) = (fixture::full(), fixture::report(Vec::new()));
        for report in [&full, &empty] {
            sinks.save(report).expect("saved");
            assert_eq!(written(&path), json::render(report));
        }
        assert_eq!(sinks.write(&full), []);
        assert_eq!(written(&path), json::render(&full));
        assert!(!sinks.use_stdout());
    }
    assert_eq!(written(&twin), written(&path), "both names still lead to one file");
    assert_eq!(names(&dir), ["report.json", "twin"]);
}

#[test]
fn nothing_is_there_before_there_is_a_report() {
    let (dir, path) = folder();
    let mut sinks = Sinks::open(&[arg(&path)]).expect("opened");
    assert!(names(&dir).is_empty(), "{:?}", names(&dir));
    sinks.save(&fixture::full()).expect("saved");
    assert_eq!(names(&dir), ["report.json"]);
}

#[test]
fn rights_and_links_stay() {
    let (dir, path) = folder();
    let link = dir.path().join("link");
    symlink("report.json", &link).expect("linked");
    // The first report goes where the link leads, though nothing is there yet.
    assert_eq!(Sinks::open(&[arg(&link)]).expect("opened").write(&fixture::full()), []);
    assert!(link.is_symlink() && !path.is_symlink());
    let usual = File::create(dir.path().join("usual")).expect("made");
    let mode = |of: &fs::Metadata| of.permissions().mode();
    let made = fs::metadata(&path).expect("it is there");
    assert_eq!(mode(&made), mode(&usual.metadata().expect("it is there")));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    assert_eq!(Sinks::open(&[arg(&link)]).expect("opened").write(&fixture::full()), []);
    let again = fs::metadata(&path).expect("it is there");
    assert_eq!(mode(&again) & 0o777, 0o640);
    assert_ne!(again.ino(), made.ino(), "it was replaced as a whole");
    assert!(link.is_symlink());
}

#[test]
fn whoever_looks_sees_a_whole_report() {
    let (_dir, path) = folder();
    let mut large = fixture::full();
    large.scenarios = vec![large.scenarios.remove(0); 200];
    let small = fixture::report(Vec::new());
    let mut sinks = Sinks::open(&[arg(&path)]).expect("opened");
    sinks.save(&small).expect("saved");
    let texts = [json::render(&large), json::render(&small)];
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) || looks == 0 {
                assert!(texts.contains(&written(&path)), "half a report was seen");
                looks += 1;
            }
        });
        for _ in 0..50 {
            sinks.save(&large).expect("saved");
            sinks.save(&small).expect("saved");
        }
        over.store(true, Ordering::Relaxed);
        reader.join().expect("only whole ones");
    });
}

#[test]
fn a_bad_path_fails_when_it_is_opened() {
    let (dir, _) = folder();
    let circle = dir.path().join("circle");
    symlink(&circle, &circle).expect("linked");
    for (path, help) in [
        (dir.path().join("none/report.json"), "its directory must exist; nothing was run"),
        (dir.path().to_owned(), "name a file in this directory; nothing was run"),
        (circle, "choose a path that you may write to; nothing was run"),
        // Nobody can make a file there, not even root.
        ("/proc/report.json".into(), "its directory must exist; nothing was run"),
    ] {
        let error = Sinks::open(&[arg(&path)]).err().expect("refused");
        let start = format!("cannot open the report `{}` for writing: ", path.display());
        assert!(error.message.starts_with(&start), "{}", error.message);
        assert_eq!(error.help.as_deref(), Some(help));
        assert!(!error.message.contains(".new"), "{}", error.message);
    }
}

#[test]
fn a_device_gets_the_last_report_only() {
    let paths = [Path::new("/dev/full"), Path::new("/dev/null")];
    let mut sinks = Sinks::open(&paths.map(arg)).expect("opened");
    let report = fixture::full();
    assert_eq!(sinks.save(&report), Ok(()));
    let [error] = &*sinks.write(&report) else { panic!("the device is full") };
    assert!(error.message.starts_with("cannot write the report `/dev/full`: "));
}

#[test]
fn the_standard_output_is_known_by_both_names() {
    for path in ["-", "/dev/stdout"] {
        assert!(Sinks::open(&[arg(Path::new(path))]).expect("opened").use_stdout());
    }
}

/// The message for these paths, one scenario file among what is read.
fn refusal(dir: &TempDir, args: [&str; 2]) -> Option<String> {
    let within = |text: &str| text.replace('@', dir.path().to_str().expect("a name"));
    let args = args.map(|text| within(text).parse::<ReportArg>().expect("right"));
    let refused = distinct(&args, &[dir.path().join("scene.yaml")]).err()?;
    assert!(refused.help.is_some_and(|help| help.ends_with("nothing was run")));
    Some(refused.message.replace(dir.path().to_str().expect("a name"), "@"))
}

#[test]
fn two_reports_never_share_a_place() {
    let (dir, path) = folder();
    fs::write(&path, "").expect("written");
    fs::hard_link(&path, dir.path().join("twin")).expect("linked");
    symlink("new", dir.path().join("link")).expect("linked");
    fs::create_dir(dir.path().join("sub")).expect("made");
    for (one, other) in [
        ("json=@/report.json", "csv=@/report.json"),
        ("json=@/report.json", "csv=@/./sub/../report.json"),
        ("json=@/report.json", "csv=@/twin"),
        ("json=@/new", "csv=@/sub/../new"),
        ("json=@/new", "csv=@/link"),
        ("json=-", "csv=/dev/stdout"),
    ] {
        let expected = format!("`--report {one}` and `--report {other}` go to one place");
        assert_eq!(refusal(&dir, [one, other]), Some(expected));
    }
    for (one, other) in [
        ("json=@/report.json", "csv=@/new"),
        ("json=/dev/null", "csv=/dev/null"),
        ("json=-", "csv=@/new"),
    ] {
        assert_eq!(refusal(&dir, [one, other]), None, "{one} {other}");
    }
}

#[test]
fn a_report_never_overwrites_what_the_run_reads() {
    let (dir, _) = folder();
    fs::write(dir.path().join("scene.yaml"), "scenario: x").expect("written");
    symlink("scene.yaml", dir.path().join("link")).expect("linked");
    for path in ["@/scene.yaml", "@/link"] {
        let arg = format!("csv={path}");
        assert_eq!(
            refusal(&dir, ["json=@/new", &arg]),
            Some(format!("`--report {arg}` would overwrite `@/scene.yaml`, which this run reads"))
        );
    }
}
