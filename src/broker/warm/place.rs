//! Where it is written that a warm node stands: a directory of the user's own, locked by
//! whoever changes something, with one file in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::geteuid;

use super::Standing;
use crate::broker::error::{BrokerError, Kind};

/// The directory, which may not exist.
pub(super) struct Place(PathBuf);

/// Nobody else changes anything while this lives.
pub(super) struct Locked(File);

impl Place {
    /// Below the directory that the system gives each user for such things, else below the
    /// temporary one, where others may write: so whose it is is looked at.
    pub fn of_user() -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.filter(|dir| dir.is_absolute() && dir.is_dir());
        let base = runtime.unwrap_or_else(std::env::temp_dir);
        Self(base.join(format!("rmq-scenario-warm-{}", geteuid().as_raw())))
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("broker.json")
    }

    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// `None` when there is nothing, or nothing of ours, or something that is not understood.
    pub fn read(&self) -> Option<Standing> {
        self.open().ok()?;
        serde_json::from_slice(&fs::read(self.file()).ok()?).ok()
    }

    /// All at once: whoever reads it finds the whole, or nothing.
    pub fn write(&self, standing: &Standing) -> Result<(), BrokerError> {
        let whole = || {
            let new = self.0.join("broker.json.new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(&serde_json::to_vec_pretty(standing)?)?;
            fs::rename(new, self.file())
        };
        whole().map_err(|error| self.failed("writing to", &error))
    }

    /// Makes the directory where there is none, and waits until nobody else is at work in it.
    pub fn lock(&self) -> Result<Locked, BrokerError> {
        let lock = || loop {
            match DirBuilder::new().mode(0o700).create(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let dir = match self.open() {
                // Removed again in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            flock(&dir, FlockOperation::LockExclusive)?;
            // Whoever had it before may have removed it, and ours is then nobody's.
            let ours = dir.metadata()?;
            let there = fs::symlink_metadata(&self.0);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Locked(dir));
            }
        };
        lock().map_err(|error| self.failed("opening", &error))
    }

    /// Leaves nothing.
    pub fn remove(&self, locked: Locked) -> Result<(), BrokerError> {
        let removed = fs::remove_dir_all(&self.0);
        drop(locked.0);
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("removing", &error))
            }
            _ => Ok(()),
        }
    }

    /// The directory itself, if it is ours alone.
    fn open(&self) -> io::Result<File> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let dir = OpenOptions::new().read(true).custom_flags(flags).open(&self.0)?;
        let found = dir.metadata()?;
        if found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(io::Error::other("somebody else can write or read there"));
        }
        Ok(dir)
    }

    fn failed(&self, doing: &str, error: &io::Error) -> BrokerError {
        let place = self.0.display();
        BrokerError::new(Kind::Boot, format!("{doing} {place} failed: {error}")).help(
            "the file of the warm RabbitMQ is kept there; XDG_RUNTIME_DIR names another place",
        )
    }
}
