//! Where a report goes, and how it gets there whole.
//!
//! A file is replaced and not rewritten: the text goes into a new file beside it, which then takes
//! its name. Whoever looks at any moment sees a whole report, or what was there before. Where that
//! would change more than the text, because the file has other names (hard links), belongs to
//! somebody else, or lies in a directory where nothing can be made, the file itself is rewritten.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::report::output::{Output, Target};

/// The rights of a file that nobody had before, less what the umask takes.
const NEW: u32 = 0o666;
/// So much is tried to be written before the run: a disk that is full is full for this.
const TRIAL: [u8; 4096] = [b' '; 4096];
/// A chain of links that is longer is a circle.
const MOST_LINKS: usize = 40;

/// An open report.
pub enum Place {
    /// Is replaced as a whole: the file, and its rights if it was there.
    Whole(PathBuf, Option<Permissions>),
    /// Can be rewritten from its beginning.
    File(File),
    /// A pipe or a device: what was written stays, so only the last report goes there.
    Stream(File),
    Stdout(Output),
}

impl Place {
    /// Makes sure that a report can go there. Nothing that is there changes, and nothing is made.
    ///
    /// # Errors
    /// When it cannot be written, in the system's words.
    pub fn open(path: &str) -> io::Result<Self> {
        let identity = Identity::of(path)?;
        if identity == Identity::Stdout {
            return Ok(Place::Stdout(Output::new(Target::Stdout)));
        }
        let path = resolve(Path::new(path))?;
        match fs::metadata(&path) {
            Ok(found) => open_present(path, &found),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                try_beside(&path, None)?;
                Ok(Place::Whole(path, None))
            }
            Err(error) => Err(error),
        }
    }

    /// For what is written bit by bit: what was there before goes now.
    ///
    /// # Errors
    /// When it cannot be opened, in the system's words.
    pub fn stream(&mut self) -> io::Result<Box<dyn io::Write + Send>> {
        Ok(match self {
            Place::Whole(path, _) => Box::new(File::create(path)?),
            Place::File(file) => {
                file.set_len(0)?;
                file.rewind()?;
                Box::new(file.try_clone()?)
            }
            Place::Stream(file) => Box::new(file.try_clone()?),
            Place::Stdout(_) => Box::new(io::stdout()),
        })
    }

    /// Writes the text. A reader of a pipe that left has seen what it wanted.
    ///
    /// # Errors
    /// When it cannot be written; a file that is replaced then is as it was.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Place::Whole(path, rights) => replace(path, rights.as_ref(), text),
            Place::File(file) => rewrite(file, text),
            Place::Stream(file) => deliver(file, text),
            Place::Stdout(output) => {
                output.write(text).map_err(|error| io::Error::other(error.message))
            }
        }
    }
}

fn open_present(path: PathBuf, found: &Metadata) -> io::Result<Place> {
    // Whoever may not write to a file shall not replace it either.
    let file = OpenOptions::new().write(true).open(&path)?;
    if !found.is_file() {
        return Ok(Place::Stream(file));
    }
    let rights = found.permissions();
    match try_beside(&path, Some(&rights)) {
        Ok(tried) if found.nlink() == 1 && tried == (found.uid(), found.gid()) => {
            Ok(Place::Whole(path, Some(rights)))
        }
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        _ => Ok(Place::File(file)),
    }
}

/// Makes a file where the next report is going to be made, and removes it: its owner and group.
fn try_beside(path: &Path, rights: Option<&Permissions>) -> io::Result<(u32, u32)> {
    let mut file = beside(path, rights)?;
    // The file itself says what is wrong in the system's words alone.
    file.as_file_mut().write_all(&TRIAL)?;
    let made = file.as_file().metadata()?;
    Ok((made.uid(), made.gid()))
}

fn beside(path: &Path, rights: Option<&Permissions>) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(ErrorKind::IsADirectory)?);
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".new").permissions(Permissions::from_mode(NEW));
    let file = builder.tempfile_in(folder).map_err(plain)?;
    if let Some(rights) = rights {
        file.as_file().set_permissions(rights.clone())?;
    }
    Ok(file)
}

/// The error in the system's words alone: those of the package name a file that nobody knows.
fn plain(error: io::Error) -> io::Error {
    let words = error.to_string();
    let words = words.split_once(" at path ").map_or(&*words, |(words, _)| words);
    io::Error::new(error.kind(), words.to_owned())
}

fn replace(path: &Path, rights: Option<&Permissions>, text: &str) -> io::Result<()> {
    let mut file = beside(path, rights)?;
    file.as_file_mut().write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn rewrite(file: &mut File, text: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).expect("a text fits in memory"))?;
    file.flush()
}

fn deliver(file: &mut File, text: &str) -> io::Result<()> {
    match file.write_all(text.as_bytes()).and_then(|()| file.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// By what one tells that two paths lead to one place, however they are spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Also by the name of the file or pipe that it is.
    Stdout,
    /// Device and inode of what is there: links of both kinds lead to one.
    Present(u64, u64),
    /// What is not there yet, below a folder that is.
    New(PathBuf),
    /// Takes whatever comes, from any number of writers.
    Device,
}

impl Identity {
    /// # Errors
    /// When the folder of the path is not there, or cannot be looked at.
    pub fn of(path: &str) -> io::Result<Self> {
        if path == "-" || path == "/dev/stdout" {
            return Ok(Identity::Stdout);
        }
        let path = resolve(Path::new(path))?;
        match fs::metadata(&path) {
            Ok(found) if found.file_type().is_char_device() => Ok(Identity::Device),
            Ok(found) => {
                let seen = (found.dev(), found.ino());
                let same =
                    rustix::fs::fstat(io::stdout()).is_ok_and(|it| (it.st_dev, it.st_ino) == seen);
                Ok(if same { Identity::Stdout } else { Identity::Present(seen.0, seen.1) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Identity::New(path)),
            Err(error) => Err(error),
        }
    }
}

/// The path without links and dots; its last part need not be there, also where a link leads to it.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        let name = path.file_name().ok_or(ErrorKind::NotFound)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.canonicalize()?,
            _ => Path::new(".").canonicalize()?,
        };
        match fs::read_link(folder.join(name)) {
            Ok(target) => path = folder.join(target),
            Err(_) => return Ok(folder.join(name)),
        }
    }
    Err(io::Error::other("the link leads to itself"))
}
