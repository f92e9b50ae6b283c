//! The metadata that digests have as objects on S3, in a file beside the tree.

use std::io;

/// Writes the metadata of the digests, a JSON object by key, one digest a line.
#[derive(Debug)]
pub(crate) struct MetadataFile<W: io::Write> {
    out: W,
    is_first: bool,
}

impl<W: io::Write> MetadataFile<W> {
    /// Begins the file.
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(Self { out, is_first: true })
    }

    /// Adds the metadata of the digest with this key.
    pub(crate) fn add(&mut self, key: &str, signature: &str) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        write!(
            self.out,
            "{comma}\n\"{key}\": {{\"signature\": \"{signature}\", \
             \"signature-algorithm\": \"SHA256withRSA\"}}"
        )
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")?;
        self.out.flush()
    }
}
