//! Where an answer goes: standard output, or a file that is written whole or not at all.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

/// How many bytes are written at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Where an answer goes.
pub(crate) enum Destination {
    /// As it is.
    Plain(BufWriter<Target>),
    /// Compressed. `None` after the end.
    Gzip(Option<Box<GzEncoder<BufWriter<Target>>>>),
}

/// What is written to.
pub(crate) enum Target {
    Stdout(Stdout),
    /// A file beside the one that it becomes; `None` after the end.
    File(Option<NamedTempFile>, PathBuf),
}

impl Destination {
    /// Opens standard output, or a file in the folder of `file`.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written, or a terminal would show compressed bytes.
    pub(crate) fn open(file: Option<&Path>, is_gzip: bool) -> io::Result<Self> {
        let target = match file {
            None if is_gzip && io::stdout().is_terminal() => {
                let reason = "a terminal cannot show compressed bytes; name a file with `--out`";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            None => Target::Stdout(io::stdout()),
            Some(path) => {
                if path.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let created = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
                Target::File(Some(created), path.to_owned())
            }
        };
        let out = BufWriter::with_capacity(BUFFER_BYTES, target);
        Ok(if is_gzip {
            Self::Gzip(Some(Box::new(GzEncoder::new(out, Compression::default()))))
        } else {
            Self::Plain(out)
        })
    }

    /// Writes what is buffered, and gives the file its name.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => {
                out.flush()?;
                out.get_mut().finish()
            }
            Self::Gzip(encoder) => {
                let Some(encoder) = encoder.take() else { return Ok(()) };
                let mut out = encoder.finish()?;
                out.flush()?;
                out.get_mut().finish()
            }
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(Some(encoder)) => encoder.write(bytes),
            Self::Gzip(None) => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(Some(encoder)) => encoder.flush(),
            Self::Gzip(None) => Ok(()),
        }
    }
}

impl Target {
    fn finish(&mut self) -> io::Result<()> {
        let Self::File(file, path) = self else { return Ok(()) };
        let Some(file) = file.take() else { return Ok(()) };
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(Some(file), _) => file.write(bytes),
            Self::File(None, _) => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(Some(file), _) => file.flush(),
            Self::File(None, _) => Ok(()),
        }
    }
}
