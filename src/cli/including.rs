//! Where the files lie that others include: paths lead from the folder of the file that has them.

use std::path::{Component, Path, PathBuf};

use crate::scenario::Source;
use crate::scenario::include::{Found, Shelf, Trouble};
use crate::scenario::mistake::meant;

/// The folder of a file, and what was asked for from there.
pub struct Folder {
    file: PathBuf,
    asked: Vec<PathBuf>,
}

impl Folder {
    /// Nothing was asked for yet, but for the file itself.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), asked: vec![file.to_owned()] }
    }

    /// Calls `load` with what reads files.
    pub fn lend<T>(&mut self, load: impl FnOnce(Shelf) -> T) -> T {
        let identity = identity(&self.file);
        let mut read = |path: &str, from: &str| {
            let path = beside(Path::new(from), path);
            self.asked.push(path.clone());
            found(&path)
        };
        load(Shelf { identity, read: &mut read })
    }

    /// Every file that was asked for, also those that are not there, each once.
    pub fn asked(self) -> Vec<PathBuf> {
        let mut asked = self.asked;
        asked.sort();
        asked.dedup();
        asked
    }
}

/// What tells a file from all others: where it really is.
fn identity(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real.to_string_lossy().into_owned()
}

/// The file that `path` leads to from the file `from`, by the shortest name for it.
fn beside(from: &Path, path: &str) -> PathBuf {
    let plain = from.parent().unwrap_or(Path::new("")).join(path);
    let mut short = PathBuf::new();
    for part in plain.components() {
        let last = short.components().next_back();
        match part {
            Component::CurDir if last.is_some() => {}
            Component::ParentDir if matches!(last, Some(Component::Normal(_))) => {
                short.pop();
            }
            part => short.push(part),
        }
    }
    // Behind a link, `..` is not the folder that the name shows.
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if real(&short) == real(&plain) { short } else { plain }
}

fn found(path: &Path) -> Result<Found, Trouble> {
    let name = path.display().to_string();
    match Source::read_part(path, name) {
        Ok(Ok(source)) => Ok(Found { source, identity: identity(path) }),
        Ok(Err(diagnostic)) => Err(Trouble::NoText(diagnostic)),
        Err(why) => Err(Trouble::Unreadable(why, help(path))),
    }
}

/// What to do about a path that cannot be read.
fn help(path: &Path) -> String {
    if path.symlink_metadata().is_ok() {
        return "an include names a YAML file of at most 1 MiB".to_owned();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains(['*', '?']) {
        return "name each file; patterns mean nothing here".to_owned();
    }
    if name.contains('\\') {
        return "write `/` between folders, not `\\`".to_owned();
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("there is no folder {}", folder.display());
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    match meant(&name, names.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it is looked for as {}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_was_asked_for_too() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.yaml");
        let from = file.to_str().unwrap();
        std::fs::write(place.path().join("b.yaml"), "part: b\n").unwrap();
        let mut folder = Folder::of(&file);
        folder.lend(|shelf| {
            assert!((shelf.read)("b.yaml", from).is_ok());
            assert!((shelf.read)("c.yaml", from).is_err());
            assert!((shelf.read)("./b.yaml", from).is_ok());
        });
        let names = ["a.yaml", "b.yaml", "c.yaml"];
        assert_eq!(folder.asked(), names.map(|name| place.path().join(name)));
    }

    #[test]
    fn a_path_leads_from_the_folder_of_the_file_and_is_shown_short() {
        for (from, path, shown) in [
            ("a.yaml", "parts/b.yaml", "parts/b.yaml"),
            ("./a.yaml", "./parts/b.yaml", "./parts/b.yaml"),
            ("s/a.yaml", "../parts/b.yaml", "parts/b.yaml"),
            ("../a.yaml", "../b.yaml", "../../b.yaml"),
            ("/x/a.yaml", "b.yaml", "/x/b.yaml"),
        ] {
            assert_eq!(beside(Path::new(from), path), Path::new(shown), "{path} from {from}");
        }
    }
}
