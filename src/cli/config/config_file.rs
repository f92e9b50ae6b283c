//! Reads a `db.toml`, unless another user may have written it.
//!
//! A `db.toml` decides which server gets the password. The one in the current folder is read without
//! being named, and the folder may belong to another user.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{getegid, geteuid};

use super::error::ConfigError;

/// The text of a `db.toml`.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) text: String,
    /// Whether other users can read it.
    pub(super) is_readable: bool,
}

/// Reads the file at `path`. `is_named` is whether the user named it, and so vouches for its owner.
///
/// # Errors
/// [`ConfigError::UnreadableFile`], [`ConfigError::ForeignFile`], [`ConfigError::WritableFile`].
pub(super) fn read(path: &Path, is_named: bool) -> Result<ConfigFile, ConfigError> {
    let unreadable = |source| ConfigError::UnreadableFile { path: path.to_owned(), source };
    let open = || -> io::Result<(File, Metadata)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (mut file, metadata) = open().map_err(unreadable)?;
    let is_trusted = [0, geteuid().as_raw()].contains(&metadata.uid());
    if !is_named && !is_trusted {
        return Err(ConfigError::ForeignFile(path.to_owned()));
    }
    // A user's own group often has no other members: there, a file is created with 664.
    let is_own_group = metadata.gid() == getegid().as_raw();
    let others = if is_own_group { 0o007 } else { 0o077 };
    if metadata.mode() & others & 0o022 != 0 {
        return Err(ConfigError::WritableFile(path.to_owned()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    Ok(ConfigFile { text, is_readable: metadata.mode() & others & 0o044 != 0 })
}
